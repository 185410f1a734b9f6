import { A } from '@solidjs/router';
import { createMemo, type JSX, Show } from 'solid-js';
import { api, type Job } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import type { Column } from '../../parts/data-table.tsx';
import { ListPage } from '../../parts/list-page.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Sign } from '../../parts/state.tsx';
import { Ago } from '../../parts/time.tsx';
import { Who } from '../../parts/who.tsx';
import { looks } from './looks.ts';

const describeJobs = (): Column<Job>[] => [
  {
    head: t('jobs.act'),
    cell: (job) => (
      <A class="row-link" href={`/jobs/${job.id}`}>
        {t(`jobs.act.${job.act}`)}
      </A>
    ),
  },
  {
    head: t('jobs.state'),
    cell: (job) => <Sign {...looks[job.state]}>{t(`jobs.state.${job.state}`)}</Sign>,
  },
  {
    head: t('jobs.progress'),
    cell: (job) => (
      <>
        {t('jobs.of', { done: job.done, total: job.total })}
        <Show when={job.failed}>{(n) => <span class="alarm"> · {t('jobs.failed', { n: n() })}</span>}</Show>
      </>
    ),
  },
  {
    head: t('jobs.by'),
    class: 'mid soft',
    cell: (job) => <Who name={job.createdBy}>{job.createdBy}</Who>,
  },
  { head: t('jobs.at'), class: 'mid soft', cell: (job) => <Ago at={job.createdAt} /> },
];

/** What was or is done to many devices at once. */
export default function JobsPage(): JSX.Element {
  const list = createList({ filters: [], fetch: api.listJobs, live: 'job' });
  const columns = createMemo(describeJobs);
  return (
    <ListPage
      title={t('jobs.title')}
      list={list}
      columns={columns()}
      empty={
        <Empty title={t('jobs.empty')} lead={t('jobs.emptyLead')}>
          <A class="button primary" href="/devices">
            {t('nav.devices')}
          </A>
        </Empty>
      }
    />
  );
}
