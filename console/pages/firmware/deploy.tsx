import { useLocation, useNavigate, useParams, useSearchParams } from '@solidjs/router';
import { createEffect, createMemo, type JSX, Show } from 'solid-js';
import { createAct } from '../../act.ts';
import { api, type Chosen, type FirmwareDetails, type Selection } from '../../api.ts';
import { ApiError } from '../../http.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { isChild } from '../../parts/hardware-words.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Head } from '../../parts/page.tsx';
import { textOf } from '../../parts/params.ts';
import { createPlaces } from '../../places.ts';
import { createSettled } from '../../settled.ts';
import { createChoices } from './choice.ts';
import { DeploySummary } from './deploy-summary.tsx';
import { EveryPicker } from './every-picker.tsx';
import { DevicePicker, GroupPicker } from './pickers.tsx';
import { toPolicy } from './plan.ts';
import { createPlan, PlanFields } from './plan-fields.tsx';
import { QueryPicker } from './query-picker.tsx';

/**
 * What is put back in place of a deployment that went wrong (`?instead=`): the devices that run its image, in one wave. It is cancelled
 * when this one is asked for.
 */
function useInstead(choices: ReturnType<typeof createChoices>, plan: ReturnType<typeof createPlan>) {
  const [search] = useSearchParams();
  const load = createLoad(
    () => textOf(search.instead) || null,
    async (id, signal) => {
      const [deployment, previous] = await Promise.all([
        api.getDeployment(id, signal),
        api.getPrevious(id, signal),
      ]);
      return { deployment, ...previous };
    },
  );
  createEffect(() => {
    const found = load.data?.devices;
    if (!found) return;
    choices.choose(
      'devices',
      found.map((id) => ({ id, name: id })),
    );
    plan.choose('all');
  });
  return {
    data: () => load.data,
    async cancel() {
      if (!load.data) return;
      const { id, revision } = load.data.deployment;
      await api.operateDeployment(id, 'cancel', revision).catch((error: unknown) => {
        if (!(error instanceof ApiError) || error.code !== 'deployment_finished') throw error;
      });
    },
  };
}

function DeployForm(props: { firmware: FirmwareDetails }): JSX.Element {
  const navigate = useNavigate();
  const choices = createChoices();
  const { state: brought } = useLocation<{ chosen: Chosen }>();
  if (brought?.chosen) choices.take(brought.chosen);
  const plan = createPlan();
  const instead = useInstead(choices, plan);
  const { regions, divisions } = createPlaces();
  /** Null while it cannot be asked for. */
  const wanted = createMemo(() =>
    choices.isEmpty() || Object.keys(plan.problems()).length > 0
      ? null
      : { ...choices.toSelection(props.firmware.id), ...toPolicy(plan.plan) },
  );
  const settled = createSettled(wanted);
  const dryRun = createLoad(settled, (selection, signal) => api.dryRun(selection, signal), 'device');
  const request = createAct(async (selection: Selection) => {
    await instead.cancel();
    const deployment = await api.createDeployment(selection);
    navigate(`/deployments/${deployment.id}`);
  });

  return (
    <div class="deploy">
      <div>
        <Show when={instead.data()}>
          {(bad) => (
            <p class="note" data-testid="instead">
              {t('deploy.instead', {
                version: props.firmware.version,
                bad: bad().deployment.firmware.version,
                n: bad().devices.length,
              })}
            </p>
          )}
        </Show>
        <EveryPicker firmware={props.firmware} choices={choices} />
        <GroupPicker
          kind="regions"
          title={t('deploy.regions')}
          searchLabel={t('deploy.searchRegions')}
          none={t('deploy.noRegions')}
          load={regions}
          choices={choices}
        />
        <GroupPicker
          kind="divisions"
          title={t('deploy.divisions')}
          searchLabel={t('deploy.searchDivisions')}
          none={t('deploy.noDivisions')}
          load={divisions}
          choices={choices}
        />
        <DevicePicker
          firmware={props.firmware}
          regions={regions.data}
          divisions={divisions.data}
          choices={choices}
        />
        <QueryPicker choices={choices} />
        <PlanFields state={plan} />
      </div>
      <DeploySummary
        firmware={props.firmware}
        choices={choices}
        wanted={wanted()}
        policyName={plan.plan.named?.name}
        dryRun={dryRun}
        counting={dryRun.loading || settled() !== wanted()}
        busy={request.busy()}
        error={request.error()}
        onRequest={request.run}
      />
    </div>
  );
}

export default function DeployPage(): JSX.Element {
  const params = useParams();
  const load = createLoad(
    () => params.id,
    (id, signal) => api.getFirmware(id, signal),
  );
  useLive('firmware', () => params.id, load.refetch);
  const lead = (firmware: FirmwareDetails) =>
    `${t('deploy.lead')} ${t(isChild(firmware) ? 'deploy.componentOnly' : 'deploy.hardwareOnly', { component: firmware.component, hardware: firmware.hardware })}`;

  return (
    <Loaded load={load}>
      {(firmware) => (
        <>
          <Head
            title={t('deploy.title', { name: firmware().name, version: firmware().version })}
            lead={lead(firmware())}
          />
          <Allowed page to="operator">
            <DeployForm firmware={firmware()} />
          </Allowed>
        </>
      )}
    </Loaded>
  );
}
