import { createSignal, type JSX, Show } from 'solid-js';
import { api, type Deployment } from '../../api.ts';
import { formatDateTime } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { TextField } from '../../parts/text-field.tsx';

/** Why nothing starts, and the way past it. */
export function FreezeNote(props: { deployment: Deployment; onDone: () => void }): JSX.Element {
  const [asking, setAsking] = createSignal(false);
  const override = (fields: FormData, seen: number) =>
    api.overrideFreeze(props.deployment.id, String(fields.get('reason') ?? ''), seen);
  const close = () => {
    setAsking(false);
    props.onDone();
  };
  return (
    <Show when={props.deployment.frozenUntil}>
      {(at) => (
        <div class="tools" role="status" data-testid="frozen">
          <p>{t('deployment.frozen', { at: formatDateTime(language(), at()) })}</p>
          <Show when={!props.deployment.beyondReach}>
            <Allowed to="operator">
              <button type="button" class="button" onClick={() => setAsking(true)}>
                {t('deployment.override')}
              </button>
            </Allowed>
          </Show>
          <Show when={asking()}>
            <FormDialog
              title={t('deployment.override')}
              lead={t('deployment.overrideLead')}
              of={props.deployment}
              act={override}
              actLabel={t('deployment.override')}
              onClose={close}
            >
              <TextField name="reason" label={t('deployment.overrideReason')} maxLength={500} required />
            </FormDialog>
          </Show>
        </div>
      )}
    </Show>
  );
}
