import { A, useSearchParams } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import { api, type Device } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Paged } from '../../parts/loaded.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Online } from '../../parts/online.tsx';
import { Head } from '../../parts/page.tsx';
import { pageOf, textOf } from '../../parts/params.ts';
import { SearchField } from '../../parts/search-field.tsx';
import { DeviceFilters, type FilterValues } from './filters.tsx';

const pageSize = 100;

const runningText = (device: Device): string =>
  device.running
    .map((one) => (one.component === 'main' ? one.version : `${one.component} ${one.version}`))
    .join(', ') || '–';

function DeviceTable(props: { devices: Device[]; stale: boolean }): JSX.Element {
  return (
    <div class="table-wrap">
      <table classList={{ stale: props.stale }}>
        <caption class="unseen">{t('devices.title')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('devices.name')}</th>
            <th scope="col">{t('devices.connection')}</th>
            <th scope="col">{t('devices.running')}</th>
            <th scope="col" class="mid">
              {t('devices.region')}
            </th>
            <th scope="col" class="mid">
              {t('devices.division')}
            </th>
            <th scope="col" class="wide">
              {t('devices.hardware')}
            </th>
          </tr>
        </thead>
        <tbody>
          <For each={props.devices}>
            {(device) => (
              <tr class="row">
                <td>
                  <A class="row-link" href={`/devices/${encodeURIComponent(device.id)}`}>
                    {device.name || device.id}
                  </A>
                </td>
                <td class="tight">
                  <Online online={device.online} lastSeenAt={device.lastSeenAt} />
                </td>
                <td class="tight">{runningText(device)}</td>
                <td class="mid soft">{device.region?.name ?? '–'}</td>
                <td class="mid soft">{device.division?.name ?? '–'}</td>
                <td class="wide soft">{device.hardware}</td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}

export default function DevicesPage(): JSX.Element {
  const [params, setParams] = useSearchParams();
  const page = () => pageOf(params.page);
  const filters = (): FilterValues => ({
    region: textOf(params.region),
    division: textOf(params.division),
    hardware: textOf(params.hardware),
  });
  const search = () => textOf(params.search);
  const load = createLoad(
    () => ({ search: search(), ...filters(), limit: pageSize, offset: (page() - 1) * pageSize }),
    (query, signal) => api.listDevices(query, signal),
  );
  useLive('device', undefined, load.refetch);
  const narrowed = () => Boolean(search() || Object.values(filters()).some(Boolean));
  const clear = () =>
    setParams({
      search: undefined,
      region: undefined,
      division: undefined,
      hardware: undefined,
      page: undefined,
    });

  return (
    <>
      <Head title={t('devices.title')} />
      <search class="tools" aria-label={t('devices.filters')}>
        <SearchField
          main
          label={t('devices.search')}
          value={search()}
          onSearch={(text) => setParams({ search: text, page: undefined }, { replace: true })}
        />
        <DeviceFilters
          values={filters()}
          seenHardware={(load.data?.items ?? []).map((device) => device.hardware)}
          onChange={(change) => setParams({ ...change, page: undefined })}
        />
        <Show when={narrowed()}>
          <button type="button" class="plain link" onClick={clear}>
            {t('common.clear')}
          </button>
        </Show>
      </search>
      <Paged
        load={load}
        page={page()}
        pageSize={pageSize}
        onPage={(next) => setParams({ page: next })}
        empty={
          <Show
            when={narrowed()}
            fallback={<Empty title={t('devices.empty')} lead={t('devices.emptyLead')} />}
          >
            <Empty title={t('devices.noMatch')} lead={t('devices.noMatchLead')} />
          </Show>
        }
      >
        {(items) => <DeviceTable devices={items()} stale={load.loading} />}
      </Paged>
    </>
  );
}
