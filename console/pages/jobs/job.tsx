import { A, useParams } from '@solidjs/router';
import { createMemo, createSignal, type JSX, Show } from 'solid-js';
import { api, type Job, type JobFailure } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import type { Column } from '../../parts/data-table.tsx';
import { ListTable } from '../../parts/list-page.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Fact, Facts, Head } from '../../parts/page.tsx';
import { Progress } from '../../parts/progress.tsx';
import { Sign } from '../../parts/state.tsx';
import { When } from '../../parts/time.tsx';
import { Who } from '../../parts/who.tsx';
import { looks } from './looks.ts';

const describeFailures = (): Column<JobFailure>[] => [
  {
    head: t('devices.name'),
    cell: ({ device }) => <A href={`/devices/${encodeURIComponent(device)}`}>{device}</A>,
  },
  { head: t('jobs.reason'), cell: ({ error }) => t(`jobs.error.${error}`) },
];

function Failures(props: { job: Job }): JSX.Element {
  const list = createList({
    filters: [],
    fetch: (query, signal) => api.listJobFailures(props.job.id, query, signal),
    live: 'job',
    key: 'device',
  });
  const columns = createMemo(describeFailures);
  return (
    <section aria-labelledby="failures">
      <h2 id="failures">{t('jobs.failures')}</h2>
      <ListTable caption={t('jobs.failures')} list={list} columns={columns()} empty={null} />
    </section>
  );
}

/** How far a job is; it goes on whoever looks, and whether or not anybody does. */
export default function JobPage(): JSX.Element {
  const params = useParams();
  const [cancelling, setCancelling] = createSignal(false);
  const load = createLoad(
    () => params.id,
    (id, signal) => api.getJob(id, signal),
  );
  useLive('job', () => params.id, load.refetch);
  const ended = (job: Job) => job.done + job.failed;
  return (
    <Loaded load={load}>
      {(job) => (
        <>
          <Head
            title={t(`jobs.act.${job().act}`)}
            lead={
              <span role="status" data-testid="job-state">
                <Sign {...looks[job().state]}>{t(`jobs.state.${job().state}`)}</Sign>{' '}
                {t('jobs.of', { done: ended(job()), total: job().total })}
                <Show when={job().failed}>
                  {(n) => <span class="alarm"> · {t('jobs.failed', { n: n() })}</span>}
                </Show>
              </span>
            }
            actions={
              <>
                <Show when={job().state === 'running'}>
                  <Allowed to="operator">
                    <button type="button" class="button danger" onClick={() => setCancelling(true)}>
                      {t('jobs.cancel')}
                    </button>
                  </Allowed>
                </Show>
                <A class="button" href="/jobs">
                  {t('jobs.title')}
                </A>
              </>
            }
          />
          <Progress
            value={ended(job())}
            max={job().total}
            label={t('jobs.progress')}
            quiet={job().state !== 'running'}
          />
          <section aria-labelledby="details" class="block">
            <h2 id="details">{t('jobs.details')}</h2>
            <Facts>
              <Fact name={t('jobs.by')}>
                <Who name={job().createdBy}>{job().createdBy}</Who>
              </Fact>
              <Fact name={t('jobs.at')}>
                <When at={job().createdAt} />
              </Fact>
              <Show when={job().finishedAt}>
                {(at) => (
                  <Fact name={t('jobs.finished')}>
                    <When at={at()} />
                  </Fact>
                )}
              </Show>
              <Show when={job().query}>
                {(query) => (
                  <Fact name={t('jobs.query')}>
                    <code>{query()}</code>
                  </Fact>
                )}
              </Show>
              <Fact name={t('jobs.args')}>
                <code>{JSON.stringify(job().args)}</code>
              </Fact>
            </Facts>
          </section>
          <Show when={job().failed > 0}>
            <Failures job={job()} />
          </Show>
          <Show when={cancelling()}>
            <Confirm
              title={t('jobs.cancelTitle')}
              act={() => api.cancelJob(job().id)}
              actLabel={t('jobs.cancel')}
              keepLabel={t('jobs.keep')}
              onClose={() => {
                setCancelling(false);
                load.refetch();
              }}
            >
              <p>{t('jobs.cancelWhat')}</p>
            </Confirm>
          </Show>
        </>
      )}
    </Loaded>
  );
}
