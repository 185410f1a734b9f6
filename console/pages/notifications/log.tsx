import { createMemo, createSignal, type JSX, Show } from 'solid-js';
import { adminApi, type NotificationChannel, type NotificationDelivery } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import type { Column } from '../../parts/data-table.tsx';
import { FilterBar, ListTable } from '../../parts/list-page.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Select } from '../../parts/select.tsx';
import { Ago } from '../../parts/time.tsx';
import { Answer, DeliveryDialog, DeliveryState } from './delivery.tsx';
import { deliveryStates } from './words.ts';

const describe = (open: (id: number) => void): Column<NotificationDelivery>[] => [
  {
    head: t('notify.what'),
    cell: (one) => (
      <button type="button" class="plain row-open" onClick={() => open(one.id)}>
        {t(`notify.event.${one.kind}`)}
      </button>
    ),
  },
  {
    head: t('notify.to'),
    cell: (one) => (
      <>
        {one.channel} <span class="soft small mid anywhere">{one.target}</span>
      </>
    ),
  },
  { head: t('notify.state'), class: 'tight', cell: (one) => <DeliveryState delivery={one} /> },
  { head: t('notify.tries'), class: 'num wide soft', cell: (one) => one.tries },
  { head: t('notify.answer'), class: 'mid small anywhere', cell: (one) => <Answer delivery={one} /> },
  { head: t('notify.at'), class: 'tight soft', cell: (one) => <Ago at={one.at} /> },
];

export function Log(props: { channels: NotificationChannel[] }): JSX.Element {
  const [open, setOpen] = createSignal<number>();
  const list = createList<NotificationDelivery, 'state' | 'channelId'>({
    filters: ['state', 'channelId'],
    fetch: adminApi.listDeliveries,
    live: 'notification',
    pageSize: 25,
  });
  const columns = createMemo(() => describe(setOpen));
  const opened = () => list.load.data?.items.find((one) => one.id === open());
  return (
    <section aria-labelledby="log">
      <div class="section-head">
        <h2 id="log">{t('notify.log')}</h2>
      </div>
      <FilterBar list={list}>
        <Select
          label={t('notify.state')}
          all={t('notify.anyState')}
          options={deliveryStates.map((state) => ({ value: state, label: t(`notify.${state}`) }))}
          value={list.value('state')}
          onChange={(state) => list.set({ state })}
        />
        <Select
          label={t('notify.to')}
          all={t('notify.anyChannel')}
          options={props.channels.map(({ id, name }) => ({ value: id, label: name }))}
          value={list.value('channelId')}
          onChange={(channelId) => list.set({ channelId })}
        />
      </FilterBar>
      <ListTable
        caption={t('notify.log')}
        list={list}
        columns={columns()}
        empty={
          <Show
            when={list.narrowed()}
            fallback={<Empty title={t('notify.logEmpty')} lead={t('notify.logEmptyLead')} />}
          >
            <Empty title={t('common.noMatch')} />
          </Show>
        }
      />
      <Show when={opened()}>
        {(delivery) => <DeliveryDialog delivery={delivery()} onClose={() => setOpen(undefined)} />}
      </Show>
    </section>
  );
}
