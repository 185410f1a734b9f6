import { A } from '@solidjs/router';
import { createMemo, type JSX, Show } from 'solid-js';
import { api, type Firmware } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import { Allowed } from '../../parts/allowed.tsx';
import type { Column } from '../../parts/data-table.tsx';
import { ListPage } from '../../parts/list-page.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Ago } from '../../parts/time.tsx';
import { reachesAll } from '../../session.ts';

const describeColumns = (): Column<Firmware>[] => [
  {
    head: t('firmware.name'),
    cell: (firmware) => (
      <A class="row-link" href={`/firmware/${firmware.id}`}>
        {firmware.name}
      </A>
    ),
  },
  { head: t('firmware.version'), class: 'tight', cell: (firmware) => firmware.version },
  {
    head: t('firmware.hardware'),
    class: 'mid soft',
    cell: (firmware) => firmware.hardware || t('firmware.anyHardware'),
  },
  { head: t('firmware.author'), class: 'wide soft', cell: (firmware) => firmware.author },
  {
    head: t('firmware.note'),
    class: 'wide soft clip',
    cell: (firmware) => <span title={firmware.releaseNote}>{firmware.releaseNote}</span>,
  },
  {
    head: t('firmware.uploaded'),
    class: 'tight soft',
    cell: (firmware) => <Ago at={firmware.createdAt} />,
  },
];

const Register = () => (
  <Allowed to="operator" fleet>
    <A class="button primary" href="/firmware/new">
      {t('firmware.register')}
    </A>
  </Allowed>
);

export default function FirmwaresPage(): JSX.Element {
  const list = createList({ filters: ['search'], fetch: api.listFirmwares, live: 'firmware' });
  const columns = createMemo(describeColumns);
  return (
    <ListPage
      title={t('firmware.title')}
      actions={
        <>
          <Register />
          <Show when={reachesAll()}>
            <A class="button" href="/crashes">
              {t('nav.crashes')}
            </A>
          </Show>
          <A class="button" href="/vulnerabilities">
            {t('nav.vulnerabilities')}
          </A>
        </>
      }
      list={list}
      searchLabel={t('firmware.search')}
      columns={columns()}
      noMatch={t('firmware.noMatch', { search: list.value('search') })}
      empty={
        <Empty title={t('firmware.empty')} lead={t('firmware.emptyLead')}>
          <Register />
        </Empty>
      }
    />
  );
}
