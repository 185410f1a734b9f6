import { A } from '@solidjs/router';
import { type JSX, lazy, Show, Suspense } from 'solid-js';
import { adminApi } from '../../admin-api.ts';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad, usePoll } from '../../load.ts';
import { DeploymentTable } from '../../parts/deployment-table.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Head } from '../../parts/page.tsx';
import { reachesAll } from '../../session.ts';
import { createThrottle } from '../../throttle.ts';
import '../../styles/admin.css';
import { Attention } from './attention.tsx';
import { OverviewFigures } from './figures.tsx';
import { Versions } from './versions.tsx';

const Trends = lazy(() => import('./trends.tsx'));
const shownDeployments = 5;
/** A hundred thousand devices give hints all the time. */
const throttleMs = 2_000;
const brokerPollMs = 10_000;

export default function OverviewPage(): JSX.Element {
  const always = () => true;
  const load = createLoad(always, (_, signal) => adminApi.getOverview(signal));
  const deployments = createLoad(always, (_, signal) =>
    api.listDeployments({ limit: shownDeployments }, signal),
  );
  // Apart and last, because a broker that is away takes its time to be found so.
  const broker = createLoad(
    () => reachesAll() || null,
    (_, signal) => adminApi.getBroker(signal),
  );
  const refetch = createThrottle(load.refetch, throttleMs);
  const refetchDeployments = createThrottle(deployments.refetch, throttleMs);
  useLive('device', undefined, refetch);
  useLive('dead_letter', undefined, refetch);
  useLive('deployment', undefined, () => {
    refetch();
    refetchDeployments();
  });
  usePoll(brokerPollMs, broker.refetch);

  return (
    <>
      <Head title={t('overview.title')} />
      <Loaded load={load}>
        {(overview) => (
          <>
            <OverviewFigures overview={overview()} />
            <div class="columns">
              <section aria-labelledby="attention">
                <h2 id="attention">{t('overview.attention')}</h2>
                <div aria-live="polite">
                  <Attention overview={overview()} broker={broker.data} />
                </div>
              </section>
              <section aria-labelledby="versions">
                <h2 id="versions">{t('overview.versions')}</h2>
                <Versions overview={overview()} />
              </section>
            </div>
          </>
        )}
      </Loaded>
      {/* A month can wait for today. */}
      <Show when={load.data && deployments.data}>
        <Suspense>
          <Trends />
        </Suspense>
      </Show>
      <section aria-labelledby="latest">
        <h2 id="latest">{t('overview.latest')}</h2>
        <Loaded load={deployments}>
          {(page) => (
            <Show
              when={page().items.length > 0}
              fallback={
                <p class="prose soft">
                  {t('overview.noDeployments')} <A href="/firmware">{t('deployments.toFirmware')}</A>
                </p>
              }
            >
              <DeploymentTable deployments={page().items} />
            </Show>
          )}
        </Loaded>
      </section>
    </>
  );
}
