import type { FirmwareDetails } from '../api.ts';
import { t } from '../i18n/i18n.ts';

/** As in the wire contract, which would bring its validation with it. */
export const mainComponent = 'main' satisfies typeof import('#emqx/protocol.ts').mainComponent;

type Image = Pick<FirmwareDetails, 'component' | 'hardware'>;

/** For a part on a device (an Arduino on its serial port): its hardware is what the device reports, not the device's own. */
export const isChild = (firmware: Image) => firmware.component !== mainComponent;

export const everyInWords = ({ component, hardware }: Image) =>
  isChild({ component, hardware })
    ? t('deploy.everyComponent', { component, hardware })
    : t('deploy.every', { hardware });
