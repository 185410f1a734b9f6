import { createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { api, type Deployment } from '../../api.ts';
import { ApiError } from '../../http.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { Ago } from '../../parts/time.tsx';
import { Who } from '../../parts/who.tsx';
import { user } from '../../session.ts';
import { Forecast } from '../firmware/forecast.tsx';

type Approval = NonNullable<Deployment['approval']>;

const reasonField = (required: boolean) => (
  <TextField
    name="reason"
    label={t('approval.reason')}
    hint={t('approval.reasonHint')}
    maxLength={500}
    required={required}
  />
);

/** What it would do now, and the word of somebody else than its author. */
function Waiting(props: { deployment: Deployment; approval: Approval; onDone: () => void }): JSX.Element {
  const [asking, setAsking] = createSignal<'approve' | 'refuse'>();
  const isOwn = () => props.deployment.createdBy === user()?.email;
  const load = createLoad(
    () => props.deployment.id,
    (id, signal) => api.getProposal(id, signal),
  );
  const rule = () => props.approval.rule;
  const close = () => {
    setAsking(undefined);
    props.onDone();
  };
  const approve = async (fields: FormData, seen: number) => {
    const body = { digest: load.data!.digest, reason: String(fields.get('reason')) };
    try {
      await api.approveDeployment(props.deployment.id, body, seen);
    } catch (error) {
      // The dialog stays, and the next press is for what it would do by now.
      if (error instanceof ApiError && error.code === 'dry_run_changed') load.refetch();
      throw error;
    }
  };
  return (
    <section aria-labelledby="approval" data-testid="approval">
      <h2 id="approval">{t('approval.title')}</h2>
      <p>
        {rule().hardware
          ? t('approval.why.hardware', { n: rule().aboveDevices, hardware: rule().hardware! })
          : t('approval.why.all', { n: rule().aboveDevices })}
        <Show when={isOwn()}> {t('approval.own')}</Show>
      </p>
      <h3>{t('approval.now')}</h3>
      <Loaded load={load}>
        {(proposal) => (
          <>
            <div class="forecast">
              <Forecast waits run={proposal().dryRun} startAt={props.deployment.startAt ?? undefined} />
            </div>
            <Show when={!isOwn() && !props.deployment.beyondReach}>
              <Allowed to="operator">
                <div class="tools">
                  <button type="button" class="button primary" onClick={() => setAsking('approve')}>
                    {t('approval.approve')}
                  </button>
                  <button type="button" class="button danger" onClick={() => setAsking('refuse')}>
                    {t('approval.refuse')}
                  </button>
                </div>
              </Allowed>
            </Show>
            <Switch>
              <Match when={asking() === 'approve'}>
                <FormDialog
                  title={t('approval.approveTitle')}
                  of={props.deployment}
                  act={approve}
                  actLabel={t('approval.approve')}
                  onClose={close}
                >
                  <p>{t('approval.approveWhat', { n: proposal().dryRun.targets })}</p>
                  <Show when={props.deployment.startAt}>
                    <p class="soft">{t('approval.approveLater')}</p>
                  </Show>
                  {reasonField(false)}
                </FormDialog>
              </Match>
              <Match when={asking() === 'refuse'}>
                <FormDialog
                  danger
                  title={t('approval.refuseTitle')}
                  lead={t('approval.refuseWhat')}
                  of={props.deployment}
                  act={(fields, seen) =>
                    api.refuseDeployment(props.deployment.id, { reason: String(fields.get('reason')) }, seen)
                  }
                  actLabel={t('approval.refuse')}
                  onClose={close}
                >
                  {reasonField(true)}
                </FormDialog>
              </Match>
            </Switch>
          </>
        )}
      </Loaded>
    </section>
  );
}

/** Whose word it waits for, or had. */
export function ApprovalNote(props: { deployment: Deployment; onDone: () => void }): JSX.Element {
  return (
    <Show when={props.deployment.approval}>
      {(approval) => (
        <Show
          when={approval().decision}
          fallback={
            <Show when={props.deployment.state === 'waiting_for_approval'}>
              <Waiting deployment={props.deployment} approval={approval()} onDone={props.onDone} />
            </Show>
          }
        >
          {(decision) => (
            <p data-testid="decision">
              <Who name={decision().by}>{t(`approval.${decision().outcome}`, { who: decision().by })}</Who>
              {' · '}
              <Ago at={decision().at} />
              <Show when={decision().reason}>{(reason) => <> · {reason()}</>}</Show>
            </p>
          )}
        </Show>
      )}
    </Show>
  );
}
