import { A } from '@solidjs/router';
import { For } from 'solid-js';
import type { Device } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import type { LongColumn } from '../../parts/long-table.tsx';
import { Online } from '../../parts/online.tsx';
import type { Picks } from './bulk.tsx';

const runningText = (device: Device): string =>
  device.running
    .map((one) => (one.component === 'main' ? one.version : `${one.component} ${one.version}`))
    .join(', ') || '–';

const pickColumn = (picks: Picks): LongColumn<Device> => ({
  head: t('bulk.pick'),
  class: 'pick',
  width: '72px',
  cell: (device) => (
    <label>
      <input
        type="checkbox"
        aria-label={t('bulk.pickOne', { name: device.name || device.id })}
        checked={picks.has(device.id)}
        disabled={picks.every()}
        onChange={() => picks.toggle(device.id)}
      />
    </label>
  ),
});

/** Without `picks` nobody chooses any. */
export const describeColumns = (picks: Picks | null): LongColumn<Device>[] => [
  ...(picks ? [pickColumn(picks)] : []),
  {
    head: t('devices.name'),
    sort: 'name',
    cell: (device) => (
      <A class="row-link" href={`/devices/${encodeURIComponent(device.id)}`}>
        {device.name || device.id}
      </A>
    ),
  },
  {
    head: t('devices.connection'),
    sort: 'lastSeenAt',
    width: '208px',
    cell: (device) => <Online online={device.online} lastSeenAt={device.lastSeenAt} />,
  },
  { head: t('devices.running'), class: 'running', width: '136px', cell: runningText },
  {
    head: t('devices.region'),
    class: 'mid soft',
    width: '15%',
    cell: (device) => device.region?.name ?? '–',
  },
  {
    head: t('devices.division'),
    class: 'mid soft',
    width: '15%',
    cell: (device) => device.division?.name ?? '–',
  },
  { head: t('devices.hardware'), class: 'wide soft', width: '12%', cell: (device) => device.hardware },
  {
    head: t('devices.tags'),
    class: 'wide soft',
    width: '12%',
    cell: (device) => <For each={device.tags}>{(tag) => <span class="tag">{tag}</span>}</For>,
  },
];
