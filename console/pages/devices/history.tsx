import { A } from '@solidjs/router';
import { createMemo, type JSX, Show } from 'solid-js';
import { api, type PastUpdate } from '../../api.ts';
import { formatDuration } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { DeferralNote } from '../../parts/deferral.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { StateMark } from '../../parts/state.tsx';
import { Ago } from '../../parts/time.tsx';

const describeColumns = (): Column<PastUpdate>[] => [
  {
    head: t('deployments.firmware'),
    cell: (one) => (
      <A class="row-link" href={`/deployments/${one.deployment}`}>
        {one.firmware.name} {one.firmware.version}
      </A>
    ),
  },
  {
    head: t('deployment.state'),
    cell: (one) => (
      <>
        <StateMark state={one.state} />
        <Show when={one.errorCode}>{(code) => <p class="small alarm">{t(`failure.${code()}`)}</p>}</Show>
        <Show when={one.deferred}>{(deferral) => <DeferralNote deferral={deferral()} />}</Show>
      </>
    ),
  },
  {
    head: t('deployment.attempt'),
    class: 'num mid',
    cell: (one) => one.attempt || '–',
  },
  {
    head: t('device.downloadTime'),
    class: 'num mid',
    cell: (one) => (one.downloadMs === null ? '–' : formatDuration(language(), one.downloadMs)),
  },
  { head: t('deployment.updated'), class: 'tight soft', cell: (one) => <Ago at={one.updatedAt} /> },
];

/** What deployments did to the device, newest first. */
export function History(props: { device: string }): JSX.Element {
  const load = createLoad(
    () => props.device,
    (id, signal) => api.listPastUpdates(id, signal),
    'deployment',
  );
  useLive('deployment', undefined, load.refetch);
  const columns = createMemo(describeColumns);
  return (
    <Loaded load={load}>
      {(data) => (
        <Show when={data().items.length > 0} fallback={<p class="prose soft">{t('device.noHistory')}</p>}>
          <DataTable linked caption={t('device.history')} columns={columns()} rows={data().items} />
          <Show when={data().total > data().items.length}>
            <p class="hint">{t('device.olderHistory', { n: data().total - data().items.length })}</p>
          </Show>
        </Show>
      )}
    </Loaded>
  );
}
