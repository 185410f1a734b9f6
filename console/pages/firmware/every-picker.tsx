import { createUniqueId, type JSX } from 'solid-js';
import type { FirmwareDetails } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { everyInWords, isChild } from '../../parts/hardware-words.ts';
import { Picker } from '../../parts/picker.tsx';
import type { Choices } from './choice.ts';

/** All of the firmware's hardware, as one choice. */
export function EveryPicker(props: { firmware: FirmwareDetails; choices: Choices }): JSX.Element {
  const hint = createUniqueId();
  return (
    <Picker title={t('deploy.everyTitle')} testId="pick-every" open>
      <ul class="choices">
        <li>
          <label>
            <input
              type="checkbox"
              checked={props.choices.every()}
              aria-describedby={hint}
              onChange={(event) => props.choices.setEvery(event.currentTarget.checked)}
            />
            <span>{everyInWords(props.firmware)}</span>
          </label>
        </li>
      </ul>
      <p id={hint} class="hint">
        {isChild(props.firmware) ? t('deploy.everyComponentHint') : t('deploy.everyHint')}
      </p>
    </Picker>
  );
}
