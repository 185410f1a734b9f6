import type { JSX } from 'solid-js';
import { t } from '../../i18n/i18n.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { Copied } from '../../parts/digest.tsx';

/** A channel's secret, this once. */
export function SecretShown(props: { secret: string; onClose: () => void }): JSX.Element {
  return (
    <Dialog title={t('notify.secret')} onClose={props.onClose}>
      {(close) => (
        <>
          <p class="prose">{t('notify.secretOnce')}</p>
          <p>
            <code class="digest" data-testid="secret">
              {props.secret}
            </code>{' '}
            <Copied text={props.secret} />
          </p>
          <div class="actions">
            <button type="button" class="button primary" onClick={close}>
              {t('token.close')}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
