import { A, useParams, useSearchParams } from '@solidjs/router';
import { createSignal, type JSX, lazy, Show, Suspense } from 'solid-js';
import { api, type Deployment } from '../../api.ts';
import { formatDateTime, formatDuration } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Problem } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { textOf } from '../../parts/params.ts';
import { countsInWords, StateBar, StateMark } from '../../parts/state.tsx';
import { Ago } from '../../parts/time.tsx';
import { Who } from '../../parts/who.tsx';
import { Announcement } from './announcement.tsx';
import { ApprovalNote } from './approval.tsx';
import { Figures } from './figures.tsx';
import { FreezeNote } from './freeze-note.tsx';
import { HaltNote } from './halt.tsx';
import { Operations } from './operations.tsx';
import { PlanFacts } from './plan-facts.tsx';
import { StateFilter } from './state-filter.tsx';
import { Targets } from './targets.tsx';
import { Waves } from './waves.tsx';

/** Its plots need a library that other deployments do not. */
const Health = lazy(() => import('./health.tsx'));
const StatesOverTime = lazy(() => import('./states-over-time.tsx'));

function Lead(props: { deployment: Deployment }): JSX.Element {
  const tookMs = () => {
    const { createdAt, finishedAt } = props.deployment;
    return finishedAt ? Date.parse(finishedAt) - Date.parse(createdAt) : null;
  };
  return (
    <span>
      <StateMark state={props.deployment.state} />
      {' · '}
      <Who name={props.deployment.createdBy}>
        {t('deployment.requestedBy', { who: props.deployment.createdBy })}
      </Who>
      {' · '}
      <Ago at={props.deployment.createdAt} />
      <Show when={props.deployment.undoes}>
        {(id) => (
          <>
            {' · '}
            <A href={`/deployments/${id()}`}>{t('undo.of')}</A>
          </>
        )}
      </Show>
      <Show when={props.deployment.undoneBy}>
        {(id) => (
          <>
            {' · '}
            <A href={`/deployments/${id()}`}>{t('undo.by')}</A>
          </>
        )}
      </Show>
      <Show when={props.deployment.state === 'scheduled' && props.deployment.startAt}>
        {(at) => (
          <>
            {' · '}
            {t('deploy.startsAt', { at: formatDateTime(language(), at()) })}
          </>
        )}
      </Show>
      <Show when={tookMs()}>
        {(ms) => <> · {t('deployment.took', { duration: formatDuration(language(), ms()) })}</>}
      </Show>
    </span>
  );
}

export default function DeploymentPage(): JSX.Element {
  const params = useParams();
  const [search, setSearch] = useSearchParams();
  const [refused, setRefused] = createSignal<unknown>();
  const state = () => textOf(search.state);
  const load = createLoad(
    () => params.id,
    (id, signal) => api.getDeployment(id, signal),
  );
  useLive('deployment', () => params.id, load.refetch);

  return (
    <Loaded load={load}>
      {(deployment) => (
        <>
          <Head
            title={`${deployment().firmware.name} ${deployment().firmware.version}`}
            windowTitle={`${t('nav.deployments')}: ${deployment().firmware.name} ${deployment().firmware.version}`}
            lead={<Lead deployment={deployment()} />}
            actions={
              <>
                <A class="button" href={`/firmware/${deployment().firmware.id}`}>
                  {t('nav.firmware')}
                </A>
                <Show when={!deployment().beyondReach}>
                  <Operations deployment={deployment()} onDone={load.refetch} onError={setRefused} />
                </Show>
              </>
            }
          />
          <Problem error={refused()} />
          <Show when={deployment().beyondReach}>
            <p role="note">{t('deployment.beyondReach')}</p>
          </Show>
          <ApprovalNote deployment={deployment()} onDone={load.refetch} />
          <HaltNote deployment={deployment()} />
          <FreezeNote deployment={deployment()} onDone={load.refetch} />
          <Figures deployment={deployment()} />
          <StateBar
            counts={deployment().counts}
            label={t('deployment.barLabel', { states: countsInWords(deployment().counts) })}
          />
          <StateFilter
            counts={deployment().counts}
            total={deployment().total}
            state={state()}
            onState={(next) => setSearch({ state: next, page: undefined }, { replace: true })}
          />
          <Suspense>
            <StatesOverTime deployment={deployment()} />
          </Suspense>
          <Show when={deployment().waves.length > 1}>
            <Waves deployment={deployment()} />
          </Show>
          <Show when={deployment().policy.health}>
            {(gate) => (
              <Suspense>
                <Health deployment={deployment()} gate={gate()} />
              </Suspense>
            )}
          </Show>
          <Announcement deployment={deployment()} />
          <Targets deployment={deployment()} state={state()} />
          <PlanFacts deployment={deployment()} />
        </>
      )}
    </Loaded>
  );
}
