import { A, useSearchParams } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import { api, type Firmware } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Paged } from '../../parts/loaded.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { pageOf, textOf } from '../../parts/params.ts';
import { SearchField } from '../../parts/search-field.tsx';
import { Ago } from '../../parts/time.tsx';

const pageSize = 50;

function FirmwareTable(props: { firmwares: Firmware[]; stale: boolean }): JSX.Element {
  return (
    <div class="table-wrap">
      <table classList={{ stale: props.stale }}>
        <caption class="unseen">{t('firmware.title')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('firmware.name')}</th>
            <th scope="col">{t('firmware.version')}</th>
            <th scope="col" class="mid">
              {t('firmware.hardware')}
            </th>
            <th scope="col" class="wide">
              {t('firmware.author')}
            </th>
            <th scope="col" class="wide">
              {t('firmware.note')}
            </th>
            <th scope="col">{t('firmware.uploaded')}</th>
          </tr>
        </thead>
        <tbody>
          <For each={props.firmwares}>
            {(firmware) => (
              <tr class="row">
                <td>
                  <A class="row-link" href={`/firmware/${firmware.id}`}>
                    {firmware.name}
                  </A>
                </td>
                <td class="tight">{firmware.version}</td>
                <td class="mid soft">{firmware.hardware || t('firmware.anyHardware')}</td>
                <td class="wide soft">{firmware.author}</td>
                <td class="wide soft clip" title={firmware.releaseNote}>
                  {firmware.releaseNote}
                </td>
                <td class="tight soft">
                  <Ago at={firmware.createdAt} />
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}

export default function FirmwaresPage(): JSX.Element {
  const [params, setParams] = useSearchParams();
  const search = () => textOf(params.search);
  const page = () => pageOf(params.page);
  const load = createLoad(
    () => ({ search: search(), limit: pageSize, offset: (page() - 1) * pageSize }),
    (query, signal) => api.listFirmwares(query, signal),
  );
  useLive('firmware', undefined, load.refetch);
  const register = () => (
    <A class="button primary" href="/firmware/new">
      {t('firmware.register')}
    </A>
  );

  return (
    <>
      <Head title={t('firmware.title')} actions={register()} />
      <div class="tools">
        <SearchField
          main
          label={t('firmware.search')}
          value={search()}
          onSearch={(text) => setParams({ search: text, page: undefined }, { replace: true })}
        />
      </div>
      <Paged
        load={load}
        page={page()}
        pageSize={pageSize}
        onPage={(next) => setParams({ page: next })}
        empty={
          <Show
            when={search()}
            fallback={
              <Empty title={t('firmware.empty')} lead={t('firmware.emptyLead')}>
                {register()}
              </Empty>
            }
          >
            <Empty title={t('firmware.noMatch', { search: search() })} />
          </Show>
        }
      >
        {(items) => <FirmwareTable firmwares={items()} stale={load.loading} />}
      </Paged>
    </>
  );
}
