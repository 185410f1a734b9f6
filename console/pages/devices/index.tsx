import { A } from '@solidjs/router';
import { createEffect, createMemo, createSignal, type JSX, on, Show } from 'solid-js';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createFilters } from '../../list.ts';
import { useLive } from '../../live.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Tools } from '../../parts/list-page.tsx';
import { LongTable } from '../../parts/long-table.tsx';
import { Empty, Loading, Problem } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { QueryField } from '../../parts/query-field.tsx';
import { createPlaces } from '../../places.ts';
import { createRows } from '../../rows.ts';
import { may } from '../../session.ts';
import { asQuery } from './as-query.ts';
import { BulkBar, createPicks } from './bulk.tsx';
import { describeColumns } from './columns.tsx';
import { DeviceFilterFields, filterNames } from './filters.tsx';
import { Groups } from './groups.tsx';
import { ImportDialog } from './import-dialog.tsx';

const defaultSort = 'id';
const cleared = Object.fromEntries(filterNames.filter((name) => name !== 'sort').map((name) => [name, '']));

export default function DevicesPage(): JSX.Element {
  const [importing, setImporting] = createSignal(false);
  const filters = createFilters(filterNames);
  const query = createMemo(filters.values, undefined, {
    equals: (a, b) => filterNames.every((name) => a[name] === b[name]),
  });
  const rows = createRows({ query, fetch: api.listDevices, pageSize: 100 });
  useLive('device', undefined, rows.refetch);
  const { regions, divisions } = createPlaces();
  const nameIn = (places: { id: string; name: string }[] | undefined, id: string) =>
    places?.find((place) => place.id === id)?.name;
  const asked = () =>
    asQuery(query(), {
      region: nameIn(regions.data, query().region),
      division: nameIn(divisions.data, query().division),
    });
  const picks = createPicks({ query: asked, total: rows.total });
  const columns = createMemo(() => describeColumns(may('operator') ? picks : null));
  const narrowed = () => filterNames.some((name) => name !== 'sort' && filters.value(name) !== '');
  createEffect(
    on(
      query,
      () => {
        window.scrollTo({ top: 0 });
        picks.clear();
      },
      { defer: true },
    ),
  );

  return (
    <>
      <Head
        title={t('devices.title')}
        lead={
          <Show when={rows.total() !== undefined}>
            <span role="status" data-testid="device-count">
              {t('common.devices', { n: rows.total()! })}
            </span>
          </Show>
        }
        actions={
          <>
            <a class="button" href={api.devicesCsv(query())} download="devices.csv">
              {t('devices.export')}
            </a>
            <A class="button" href="/jobs">
              {t('devices.jobs')}
            </A>
            <Allowed to="admin" fleet>
              <button type="button" class="button" onClick={() => setImporting(true)}>
                {t('import.open')}
              </button>
              <A class="button primary" href="/connect">
                {t('connect.title')}
              </A>
            </Allowed>
          </>
        }
      />
      <Tools list={{ ...filters, narrowed }} searchLabel={t('devices.search')}>
        <DeviceFilterFields filters={filters} />
        <Show when={filters.value('tag')}>
          {(tag) => (
            <button type="button" class="button" onClick={() => filters.set({ tag: '' })}>
              {t('devices.tag', { tag: tag() })} <span aria-hidden="true">×</span>
            </button>
          )}
        </Show>
      </Tools>
      <QueryField value={filters.value('q')} onQuery={(q) => filters.set({ q })} />
      <Groups query={asked()} onQuery={(q) => filters.set({ ...cleared, q })} />
      <Problem error={rows.error()} retry={rows.refetch} />
      <Show when={rows.total() !== undefined} fallback={<Show when={!rows.error()}>{<Loading />}</Show>}>
        <Show
          when={rows.total()! > 0}
          fallback={
            <Show
              when={narrowed()}
              fallback={<Empty title={t('devices.empty')} lead={t('devices.emptyLead')} />}
            >
              <Empty title={t('devices.noMatch')} lead={t('devices.noMatchLead')} />
            </Show>
          }
        >
          <Allowed to="operator">
            <BulkBar picks={picks} total={rows.total()!} />
          </Allowed>
          <LongTable
            caption={t('devices.title')}
            columns={columns()}
            rows={rows}
            sort={filters.value('sort') || defaultSort}
            onSort={(sort) => filters.set({ sort })}
          />
        </Show>
      </Show>
      <Show when={importing()}>
        <ImportDialog
          onClose={() => {
            setImporting(false);
            rows.refetch();
          }}
        />
      </Show>
    </>
  );
}
