import { A } from '@solidjs/router';
import { createMemo, type JSX, Show } from 'solid-js';
import type { Device } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Digest } from '../../parts/digest.tsx';

const describeColumns = (): Column<Device['running'][number]>[] => [
  {
    head: t('firmware.component'),
    cell: (one) => (
      <>
        {one.component} <span class="soft">{one.hardware}</span>
      </>
    ),
  },
  {
    head: t('firmware.version'),
    cell: (one) => <A href={`/firmware?search=${encodeURIComponent(one.version)}`}>{one.version}</A>,
  },
  { head: t('firmware.securityVersion'), class: 'num', cell: (one) => one.securityVersion },
  {
    head: t('device.expected'),
    cell: ({ expected, sha256 }) => (
      <Show when={expected} fallback={<span class="soft">–</span>}>
        {(left) => (
          <Show when={left().sha256 !== sha256} fallback={<span class="soft">{t('device.asExpected')}</span>}>
            <span class="wrong" title={left().sha256} data-testid="drifted">
              {t('device.drifted', { version: left().version })}
            </span>
          </Show>
        )}
      </Show>
    ),
  },
  { head: 'SHA-256', class: 'mid', cell: (one) => <Digest sha256={one.sha256} /> },
];

/** What each component of the device runs, by its last report, and whether its last update left that there. */
export function Running(props: { device: Device }): JSX.Element {
  const columns = createMemo(describeColumns);
  return (
    <Show
      when={props.device.running.length > 0}
      fallback={<p class="prose soft">{t('device.nothingRunning')}</p>}
    >
      <DataTable caption={t('device.runningTitle')} columns={columns()} rows={props.device.running} />
    </Show>
  );
}
