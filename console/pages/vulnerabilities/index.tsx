import { A } from '@solidjs/router';
import { createMemo, createSignal, For, type JSX, Show } from 'solid-js';
import { t } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import { Allowed } from '../../parts/allowed.tsx';
import type { Column } from '../../parts/data-table.tsx';
import { ListPage } from '../../parts/list-page.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Select } from '../../parts/select.tsx';
import { type VexStatus, type VulnerabilitySummary, vulnerabilityApi } from '../../vulnerability-api.ts';
import { Assessment } from './assessment.tsx';
import { ImportDialog } from './import-dialog.tsx';

const describeColumns = (): Column<VulnerabilitySummary>[] => [
  {
    head: t('vuln.name'),
    cell: (one) => (
      <>
        <A class="row-link" href={`/vulnerabilities/${encodeURIComponent(one.vulnerability)}`}>
          {one.vulnerability}
        </A>
        <p class="small soft">{one.summary.slice(0, 120)}</p>
      </>
    ),
  },
  { head: t('vuln.devices'), class: 'num', cell: (one) => one.devices },
  {
    head: t('vuln.status'),
    class: 'mid',
    cell: (one) => (
      <For each={Object.entries(one.statuses)}>
        {([status, n]) => <Assessment status={status as VexStatus | 'open'} n={n} />}
      </For>
    ),
  },
  { head: t('vuln.packages'), class: 'mid soft', cell: (one) => one.packages.join(', ') },
  { head: t('vuln.firmwares'), class: 'wide num', cell: (one) => one.firmwares },
];

/** What the fleet's firmwares have, by their SBOMs and the advisories that were imported. */
export default function VulnerabilitiesPage(): JSX.Element {
  const [importing, setImporting] = createSignal(false);
  const list = createList({
    filters: ['search', 'state'],
    fetch: vulnerabilityApi.list,
    live: 'vulnerability',
    key: 'vulnerability',
  });
  const columns = createMemo(describeColumns);
  return (
    <>
      <ListPage
        title={t('vuln.title')}
        actions={
          <Allowed to="operator" fleet>
            <button type="button" class="button primary" onClick={() => setImporting(true)}>
              {t('vuln.import')}
            </button>
          </Allowed>
        }
        list={list}
        searchLabel={t('vuln.search')}
        filters={
          <Select
            label={t('vuln.which')}
            all={t('vuln.onlyOpen')}
            options={[{ value: 'all', label: t('vuln.all') }]}
            value={list.value('state')}
            onChange={(state) => list.set({ state })}
          />
        }
        columns={columns()}
        noMatch={t('vuln.noMatch')}
        empty={<Empty title={t('vuln.none')} lead={t('vuln.noneLead')} />}
      />
      <Show when={importing()}>
        <ImportDialog onClose={() => setImporting(false)} />
      </Show>
    </>
  );
}
