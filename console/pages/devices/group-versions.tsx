import { A } from '@solidjs/router';
import { createSignal, type JSX, Show } from 'solid-js';
import { api, type DeviceGroup, type GroupVersion } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { quote } from './as-query.ts';

const found = (query: string) => `/devices?q=${encodeURIComponent(query)}`;

/** What a group's devices should run, beside what they attest; asked for when it is opened. */
export function GroupVersions(props: { group: DeviceGroup }): JSX.Element {
  const [opened, setOpened] = createSignal(false);
  const load = createLoad(
    () => (opened() ? { id: props.group.id, revision: props.group.revision } : null),
    ({ id }, signal) => api.listGroupVersions(id, signal),
  );
  const within = (more: string) => found(`(${props.group.query}) and ${more}`);
  const columns = (): Column<GroupVersion>[] => [
    { head: t('devices.hardware'), cell: (row) => row.hardware },
    { head: t('device.channel'), class: 'mid', cell: (row) => row.channel },
    {
      head: t('groups.desired'),
      cell: (row) => (
        <Show when={row.version} fallback={t('groups.desiredNone')}>
          <Show when={row.deployment} fallback={t('groups.desiredPin', { version: row.version! })}>
            <A href={`/deployments/${row.deployment}`}>{row.version}</A>
          </Show>
        </Show>
      ),
    },
    { head: t('groups.devices'), class: 'num', cell: (row) => row.devices },
    { head: t('groups.attested'), class: 'num', cell: (row) => row.attested },
    {
      head: t('groups.rest'),
      class: 'num',
      cell: (row) => (
        <Show when={row.version !== null && row.devices > row.attested} fallback="–">
          <A href={within(`hardware = ${quote(row.hardware)} and not version = ${quote(row.version!)}`)}>
            {row.devices - row.attested}
          </A>
        </Show>
      ),
    },
    { head: t('groups.drifted'), class: 'num', cell: (row) => row.drifted },
  ];
  return (
    <details onToggle={(event) => setOpened(event.currentTarget.open)}>
      <summary>{t('groups.versions')}</summary>
      <Loaded load={load}>
        {(found) => (
          <>
            <p>
              <Show when={found().drifted > 0} fallback={t('groups.noDrift')}>
                <A href={within('drifted = yes')}>{t('groups.someDrift', { n: found().drifted })}</A>
              </Show>
            </p>
            <DataTable caption={t('groups.versions')} columns={columns()} rows={found().versions} />
          </>
        )}
      </Loaded>
    </details>
  );
}
