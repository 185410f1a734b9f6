import { useNavigate } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import { api, type Deployment, type UndoPlan } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';

/** Who boots the previous version, who cannot and why; with the devices' own images nothing is downloaded. */
export function UndoDialog(props: {
  deployment: Deployment;
  plan: UndoPlan;
  onClose: () => void;
}): JSX.Element {
  const navigate = useNavigate();
  const version = () => props.plan.firmware?.version ?? '';
  type Reason = keyof UndoPlan['excludedCounts'];
  const left = () =>
    (Object.keys(props.plan.excludedCounts) as Reason[]).filter((it) => props.plan.excludedCounts[it] > 0);
  const mended = () => left().filter((reason) => reason !== 'downgrade');
  const undo = async (fields: FormData, seen: number) => {
    const others = fields.get('others') !== null;
    const done = await api.undoDeployment(props.deployment.id, { others }, seen);
    navigate(`/deployments/${done.undo.id}`);
  };
  return (
    <FormDialog
      danger
      title={t('undo.title', { version: version() })}
      of={props.deployment}
      act={undo}
      actLabel={t('undo.act')}
      keepLabel={t('undo.keep')}
      onClose={props.onClose}
    >
      <ul>
        <li>{t('undo.targets', { n: props.plan.targets, version: version() })}</li>
        <Show when={props.plan.targets - props.plan.presence.online}>
          {(n) => <li>{t('undo.away', { n: n() })}</li>}
        </Show>
        <Show when={!props.deployment.finishedAt}>
          <li>{t('undo.stops')}</li>
        </Show>
        <For each={left()}>
          {(reason) => <li>{t(`undo.${reason}`, { n: props.plan.excludedCounts[reason] })}</li>}
        </For>
      </ul>
      <Show when={mended().length}>
        <label class="check">
          <input type="checkbox" name="others" checked /> {t('undo.others')}
        </label>
      </Show>
    </FormDialog>
  );
}
