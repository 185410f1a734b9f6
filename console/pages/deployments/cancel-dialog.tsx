import { type JSX, Show } from 'solid-js';
import { workingStates } from '#webhook/deployments/states.ts';
import { api, type Deployment } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { sumOf } from '../../parts/state-tone.ts';

export function CancelDialog(props: { deployment: Deployment; onClose: () => void }): JSX.Element {
  const counts = () => props.deployment.counts;
  const waiting = () => counts().pending;
  const moving = () => sumOf(counts(), workingStates);
  return (
    <Confirm
      title={t('deployment.cancelTitle')}
      of={props.deployment}
      act={(seen) => api.operateDeployment(props.deployment.id, 'cancel', seen)}
      actLabel={t('deployment.cancel')}
      keepLabel={t('deployment.cancelKeep')}
      onClose={props.onClose}
    >
      <ul>
        <Show when={waiting()}>
          <li>{t('deployment.cancelWaiting', { n: waiting() })}</li>
        </Show>
        <Show when={moving()}>
          <li>{t('deployment.cancelUnderWay', { n: moving() })}</li>
        </Show>
        <Show when={counts().succeeded}>
          <li>{t('deployment.cancelDone', { n: counts().succeeded })}</li>
        </Show>
      </ul>
    </Confirm>
  );
}
