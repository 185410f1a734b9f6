import { useSearchParams } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import { api, type Deployment } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Loading, Problem } from '../../parts/notes.tsx';
import { Pager } from '../../parts/pager.tsx';
import { pageOf } from '../../parts/params.ts';
import { byAttention } from '../../parts/state-tone.ts';
import { TargetRow } from './target-row.tsx';

const pageSize = 50;

/** One row per device, failing ones first, kept true by the live stream. */
export function Targets(props: { deployment: Deployment; state: string }): JSX.Element {
  const [params, setParams] = useSearchParams();
  const page = () => pageOf(params.page);
  const load = createLoad(
    () => ({
      id: props.deployment.id,
      query: { state: props.state, limit: pageSize, offset: (page() - 1) * pageSize },
    }),
    async ({ id, query }, signal) => {
      const found = await api.listTargets(id, query, signal);
      return { ...found, items: byAttention(found.items) };
    },
    'device',
  );
  useLive('deployment', () => props.deployment.id, load.refetch);

  return (
    <section class="targets-block" aria-label={t('deployments.targets')}>
      <Problem error={load.error} retry={load.refetch} />
      <Show when={load.data} fallback={<Show when={!load.error}>{<Loading />}</Show>}>
        {(data) => (
          <Show when={data().total > 0} fallback={<p class="soft">{t('deployment.noTargets')}</p>}>
            <div class="table-wrap">
              <table class="targets" classList={{ stale: load.loading }}>
                <caption class="unseen">{t('deployments.targets')}</caption>
                <thead>
                  <tr>
                    <th scope="col">{t('deployment.device')}</th>
                    <th scope="col">{t('deployment.state')}</th>
                    <th scope="col">{t('deployment.progress')}</th>
                    <th scope="col" class="num mid">
                      {t('deployment.attempt')}
                    </th>
                    <th scope="col" class="wide">
                      {t('deployment.place')}
                    </th>
                    <th scope="col" class="wide">
                      {t('deployment.updated')}
                    </th>
                  </tr>
                </thead>
                <tbody>
                  <For each={data().items}>
                    {(target) => <TargetRow deployment={props.deployment.id} target={target} />}
                  </For>
                </tbody>
              </table>
            </div>
            <Pager
              page={page()}
              pageSize={pageSize}
              total={data().total}
              onPage={(next) => setParams({ page: next })}
            />
          </Show>
        )}
      </Show>
    </section>
  );
}
