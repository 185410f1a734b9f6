import { A, useSearchParams } from '@solidjs/router';
import type { JSX } from 'solid-js';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { DeploymentTable } from '../../parts/deployment-table.tsx';
import { Paged } from '../../parts/loaded.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
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
      <Paged
        load={load}
        page={page()}
        pageSize={pageSize}
        onPage={(next) => setParams({ page: next })}
        empty={
          <Empty title={t('deployments.empty')} lead={t('deployments.emptyLead')}>
            <A class="button primary" href="/firmware">
              {t('deployments.toFirmware')}
            </A>
          </Empty>
        }
      >
        {(items) => <DeploymentTable deployments={items()} stale={load.loading} />}
      </Paged>
    </>
  );
}
