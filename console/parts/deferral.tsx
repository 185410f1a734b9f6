import { type JSX, Show } from 'solid-js';
import type { Deferral } from '../api.ts';
import { formatDateTime } from '../format.ts';
import { language, t } from '../i18n/i18n.ts';

/** Why the application on a device puts an update off, until when if it can say, and when it is no longer heard. */
export function DeferralNote(props: { deferral: Deferral }): JSX.Element {
  const reason = () => props.deferral.reason || t('deferred.noReason');
  const at = (time: string) => ({ at: formatDateTime(language(), time) });
  return (
    <div class="small" data-testid="deferred">
      <p>{t(`deferred.${props.deferral.step}`, { reason: reason() })}</p>
      <p class="soft">
        <Show when={props.deferral.until}>{(time) => t('deferred.until', at(time()))}</Show>
        <Show when={props.deferral.until && props.deferral.deadline}> · </Show>
        <Show when={props.deferral.deadline}>{(time) => t('deferred.deadline', at(time()))}</Show>
      </p>
    </div>
  );
}
