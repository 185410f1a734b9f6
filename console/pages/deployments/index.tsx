import { A } from '@solidjs/router';
import { createMemo, type JSX } from 'solid-js';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import { describeDeployments } from '../../parts/deployment-table.tsx';
import { ListPage } from '../../parts/list-page.tsx';
import { Empty } from '../../parts/notes.tsx';
import { WaitingForYou } from './waiting-for-you.tsx';

export default function DeploymentsPage(): JSX.Element {
  const list = createList({ filters: [], fetch: api.listDeployments, live: 'deployment' });
  const columns = createMemo(describeDeployments);
  return (
    <ListPage
      title={t('deployments.title')}
      actions={
        <A class="button" href="/deployments/calendar">
          {t('calendar.title')}
        </A>
      }
      before={<WaitingForYou />}
      list={list}
      columns={columns()}
      empty={
        <Empty title={t('deployments.empty')} lead={t('deployments.emptyLead')}>
          <A class="button primary" href="/firmware">
            {t('deployments.toFirmware')}
          </A>
        </Empty>
      }
    />
  );
}
