import { A } from '@solidjs/router';
import { createMemo, type JSX, Show } from 'solid-js';
import { api, type CrashGroup } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import { createLoad, usePoll } from '../../load.ts';
import type { Column } from '../../parts/data-table.tsx';
import { FilterBar, ListTable } from '../../parts/list-page.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { Select } from '../../parts/select.tsx';
import { Ago } from '../../parts/time.tsx';
import { Trend } from './trend.tsx';
import { placeOf, sourceOf } from './words.ts';

const pollMs = 30_000;
/** The newest ones: an older firmware's page leads here, too. */
const offered = 100;

const describeColumns = (): Column<CrashGroup>[] => [
  {
    head: t('crashes.place'),
    class: 'clip',
    cell: (group) => (
      <>
        <A class="row-link" href={`/crashes/${group.id}`} title={placeOf(group)}>
          <code>{placeOf(group)}</code>
        </A>
        <Show when={group.place && sourceOf(group.place)}>
          {(source) => <div class="soft small">{source()}</div>}
        </Show>
      </>
    ),
  },
  {
    head: t('crashes.reason'),
    class: 'mid soft clip',
    cell: (group) => <span title={group.reason}>{group.reason}</span>,
  },
  {
    head: t('crashes.firmware'),
    class: 'mid',
    cell: (group) =>
      group.firmware ? (
        `${group.firmware.name} ${group.firmware.version}`
      ) : (
        <span class="soft" title={group.elf}>
          {t('crashes.unknownFirmware')}
        </span>
      ),
  },
  { head: t('crashes.devices'), class: 'num tight', cell: (group) => group.devices },
  { head: t('crashes.reports'), class: 'num wide', cell: (group) => group.reports },
  { head: t('crashes.firstSeen'), class: 'wide soft', cell: (group) => <Ago at={group.firstSeenAt} /> },
  { head: t('crashes.lastSeen'), class: 'tight soft', cell: (group) => <Ago at={group.lastSeenAt} /> },
];

/** What devices have crashed of, the newest first; of one firmware when the address says so. */
export default function CrashesPage(): JSX.Element {
  const list = createList({ filters: ['firmware'], fetch: api.listCrashes });
  const trend = createLoad(
    () => list.values(),
    (query, signal) => api.getCrashTrend(query, signal),
    'day',
  );
  const firmwares = createLoad(
    () => true,
    (_, signal) => api.listFirmwares({ limit: offered, offset: 0 }, signal),
  );
  usePoll(pollMs, () => {
    list.load.refetch();
    trend.refetch();
  });
  const columns = createMemo(describeColumns);
  return (
    <>
      <Head title={t('crashes.title')} />
      <FilterBar list={list}>
        <Select
          label={t('crashes.firmware')}
          name="firmware"
          all={t('crashes.allFirmware')}
          options={(firmwares.data?.items ?? []).map(({ id, name, version }) => ({
            value: id,
            label: `${name} ${version}`,
          }))}
          value={list.value('firmware')}
          onChange={(firmware) => list.set({ firmware })}
        />
      </FilterBar>
      <Show when={(list.load.data?.total ?? 0) > 0 && trend.data}>{(days) => <Trend days={days()} />}</Show>
      <ListTable
        linked
        caption={t('crashes.title')}
        list={list}
        columns={columns()}
        empty={<Empty title={t('crashes.empty')} lead={t('crashes.emptyLead')} />}
      />
    </>
  );
}
