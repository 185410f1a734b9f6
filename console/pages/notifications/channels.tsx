import { createMemo, createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { createAct } from '../../act.ts';
import { adminApi, type NotificationChannel, type NotificationDelivery } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import type { Load } from '../../load.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { Empty, Problem } from '../../parts/notes.tsx';
import { RowAct } from '../../parts/row-act.tsx';
import { AddChannel, ChangeChannel, DeleteChannel, RotateSecret } from './channel-dialogs.tsx';
import { DeliveryDialog } from './delivery.tsx';

type Asked = { act: 'add' } | { act: 'change' | 'rotate' | 'delete'; channel: NotificationChannel };

const describe = (
  ask: (asked: Asked) => void,
  test: (channel: NotificationChannel) => void,
): Column<NotificationChannel>[] => [
  { head: t('notify.name'), cell: (one) => <strong>{one.name}</strong> },
  {
    head: t('notify.kind'),
    class: 'mid',
    cell: (one) => (
      <>
        {t(`notify.channel.${one.kind}`)}
        <Show when={one.secrets > 1}>
          <p class="small soft">{t('notify.bothValid')}</p>
        </Show>
      </>
    ),
  },
  { head: t('notify.target'), class: 'anywhere soft', cell: (one) => one.target },
  {
    head: '',
    class: 'num acts stacks',
    cell: (one) => (
      <>
        <RowAct name={one.name} onAct={() => test(one)}>
          {t('notify.test')}
        </RowAct>{' '}
        <RowAct name={one.name} onAct={() => ask({ act: 'change', channel: one })}>
          {t('notify.change')}
        </RowAct>{' '}
        <Show when={one.kind === 'webhook'}>
          <RowAct name={one.name} onAct={() => ask({ act: 'rotate', channel: one })}>
            {t('notify.rotate')}
          </RowAct>{' '}
        </Show>
        <RowAct name={one.name} onAct={() => ask({ act: 'delete', channel: one })}>
          {t('notify.delete')}
        </RowAct>
      </>
    ),
  },
];

export function Channels(props: { load: Load<NotificationChannel[]> }): JSX.Element {
  const [asked, setAsked] = createSignal<Asked>();
  const [tested, setTested] = createSignal<NotificationDelivery>();
  const test = createAct(async (channel: NotificationChannel) =>
    setTested(await adminApi.testChannel(channel.id)),
  );
  const columns = createMemo(() => describe(setAsked, (channel) => void test.run(channel)));
  const close = () => {
    setAsked(undefined);
    props.load.refetch();
  };
  const of = (act: Asked['act']) => {
    const one = asked();
    return one?.act === act && 'channel' in one ? one.channel : undefined;
  };
  return (
    <section aria-labelledby="channels">
      <div class="section-head">
        <h2 id="channels">{t('notify.channels')}</h2>
        <button type="button" class="button" onClick={() => setAsked({ act: 'add' })}>
          {t('notify.addChannel')}
        </button>
      </div>
      <Problem error={test.error()} />
      <Show when={test.busy()}>
        <p role="status">{t('notify.testing')}</p>
      </Show>
      <Loaded load={props.load}>
        {(channels) => (
          <Show
            when={channels().length > 0}
            fallback={<Empty title={t('notify.noChannels')} lead={t('notify.noChannelsLead')} />}
          >
            <DataTable caption={t('notify.channels')} columns={columns()} rows={channels()} />
          </Show>
        )}
      </Loaded>
      <Switch>
        <Match when={asked()?.act === 'add'}>
          <AddChannel onClose={close} />
        </Match>
        <Match when={of('change')}>{(one) => <ChangeChannel channel={one()} onClose={close} />}</Match>
        <Match when={of('rotate')}>{(one) => <RotateSecret channel={one()} onClose={close} />}</Match>
        <Match when={of('delete')}>{(one) => <DeleteChannel channel={one()} onClose={close} />}</Match>
        <Match when={tested()}>
          {(delivery) => <DeliveryDialog delivery={delivery()} onClose={() => setTested(undefined)} />}
        </Match>
      </Switch>
    </section>
  );
}
