import { createMemo, type JSX, Show } from 'solid-js';
import type { BrokerHere } from '../../admin-api.ts';
import { formatBytes } from '../../format.ts';
import { language, t, tMaybe } from '../../i18n/i18n.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { glyphs } from '../../parts/glyphs.ts';
import { Sign } from '../../parts/state.tsx';
import { Alarm, Count, describeTuning } from './count.tsx';
import { type Action, countOf, lossesInWords, lostBy } from './readings.ts';

function Status(props: { action: Action }): JSX.Element {
  const up = () => props.action.enabled && props.action.status === 'connected';
  const word = () =>
    props.action.enabled
      ? (tMaybe(`broker.status.${props.action.status}`) ?? props.action.status)
      : t('broker.status.disabled');
  return (
    <Sign
      tone={up() ? 'good' : props.action.enabled ? 'bad' : 'stopped'}
      glyph={up() ? glyphs.check : glyphs.cross}
    >
      {word()}
    </Sign>
  );
}

const describe = (dashboard: string | null): Column<Action>[] => [
  {
    head: t('broker.action'),
    cell: (action) => (
      <>
        <strong>{action.id}</strong> <span class="soft mid">{action.description}</span>
        <Show when={action.lost.length > 0}>
          <p class="small alarm">{lossesInWords(action)}</p>
        </Show>
      </>
    ),
  },
  { head: t('broker.state'), class: 'tight mid', cell: (action) => <Status action={action} /> },
  { head: t('broker.matched'), class: 'num mid', cell: (action) => <Count n={countOf(action, 'matched')} /> },
  { head: t('broker.delivered'), class: 'num', cell: (action) => <Count n={countOf(action, 'success')} /> },
  {
    head: t('broker.retried'),
    class: 'num wide',
    cell: (action) => <Count n={countOf(action, 'retried')} />,
  },
  {
    head: t('broker.queued'),
    class: 'num',
    cell: (action) => (
      <Alarm
        tone="moving"
        n={countOf(action, 'queuing')}
        why={t('broker.queuedWhy', { bytes: formatBytes(language(), countOf(action, 'queuing_bytes')) })}
      />
    ),
  },
  {
    head: t('broker.inflight'),
    class: 'num mid',
    cell: (action) => <Count n={countOf(action, 'inflight')} />,
  },
  {
    head: t('broker.dropped'),
    class: 'num',
    cell: (action) => <Alarm tone="bad" n={lostBy(action)} why={lossesInWords(action)} />,
  },
  ...describeTuning<Action>(dashboard, 'actions'),
];

/** Where rows leave the broker: here they queue up and get lost. */
export function ActionTable(props: { broker: BrokerHere; dashboard: string | null }): JSX.Element {
  const columns = createMemo(() => describe(props.dashboard));
  return (
    <section aria-labelledby="actions">
      <h2 id="actions">{t('broker.actions')}</h2>
      <DataTable caption={t('broker.actions')} columns={columns()} rows={props.broker.actions} />
    </section>
  );
}
