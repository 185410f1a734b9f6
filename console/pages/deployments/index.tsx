import { A, useSearchParams } from '@solidjs/router';
import { type JSX, Show } from 'solid-js';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { DeploymentTable } from '../../parts/deployment-table.tsx';
import { Empty, Loading, Problem } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { Pager } from '../../parts/pager.tsx';
import { pageOf } from '../../parts/params.ts';

const pageSize = 50;

export default function DeploymentsPage(): JSX.Element {
  const [params, setParams] = useSearchParams();
  const page = () => pageOf(params.page);
  const load = createLoad(
    () => ({ limit: pageSize, offset: (page() - 1) * pageSize }),
    (query, signal) => api.listDeployments(query, signal),
  );
  useLive('deployment', undefined, load.refetch);

  return (
    <>
      <Head title={t('deployments.title')} />
      <Problem error={load.error} retry={load.refetch} />
      <Show when={load.data} fallback={<Show when={!load.error}>{<Loading />}</Show>}>
        {(data) => (
          <Show
            when={data().total > 0}
            fallback={
              <Empty title={t('deployments.empty')} lead={t('deployments.emptyLead')}>
                <A class="button primary" href="/firmware">
                  {t('deployments.toFirmware')}
                </A>
              </Empty>
            }
          >
            <DeploymentTable deployments={data().items} stale={load.loading} />
            <Pager
              page={page()}
              pageSize={pageSize}
              total={data().total}
              onPage={(next) => setParams({ page: next })}
            />
          </Show>
        )}
      </Show>
    </>
  );
}
