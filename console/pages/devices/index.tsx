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
import { createRows } from '../../rows.ts';
import { describeColumns } from './columns.tsx';
import { DeviceFilterFields, filterNames } from './filters.tsx';
import { ImportDialog } from './import-dialog.tsx';
import { QueryField } from './query-field.tsx';

const defaultSort = 'id';

export default function DevicesPage(): JSX.Element {
  const [importing, setImporting] = createSignal(false);
  const filters = createFilters(filterNames);
  const query = createMemo(filters.values, undefined, {
    equals: (a, b) => filterNames.every((name) => a[name] === b[name]),
  });
  const rows = createRows({ query, fetch: api.listDevices, pageSize: 100 });
  useLive('device', undefined, rows.refetch);
  const columns = createMemo(describeColumns);
  const narrowed = () => filterNames.some((name) => name !== 'sort' && filters.value(name) !== '');
  createEffect(on(query, () => window.scrollTo({ top: 0 }), { defer: true }));

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
          <Allowed to="admin">
            <button type="button" class="button" onClick={() => setImporting(true)}>
              {t('import.open')}
            </button>
            <A class="button primary" href="/connect">
              {t('connect.title')}
            </A>
          </Allowed>
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
