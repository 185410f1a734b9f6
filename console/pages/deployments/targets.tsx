import { useSearchParams } from '@solidjs/router';
import { For, type JSX } from 'solid-js';
import { api, type Deployment } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { TableHead } from '../../parts/data-table.tsx';
import { Paged } from '../../parts/loaded.tsx';
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

  const columns = () => [
    { head: t('deployment.device') },
    { head: t('deployment.state') },
    { head: t('deployment.progress') },
    { head: t('deployment.attempt'), class: 'num mid' },
    { head: t('deployment.place'), class: 'wide' },
    { head: t('deployment.updated'), class: 'wide' },
  ];

  return (
    <section class="targets-block" aria-label={t('deployments.targets')}>
      <Paged
        load={load}
        page={page()}
        pageSize={pageSize}
        onPage={(next) => setParams({ page: next })}
        empty={<p class="soft">{t('deployment.noTargets')}</p>}
      >
        {(items) => (
          <div class="table-wrap">
            <table class="targets" classList={{ stale: load.loading }}>
              <TableHead caption={t('deployments.targets')} columns={columns()} />
              <tbody>
                <For each={items()}>
                  {(target) => <TargetRow deployment={props.deployment.id} target={target} />}
                </For>
              </tbody>
            </table>
          </div>
        )}
      </Paged>
    </section>
  );
}
