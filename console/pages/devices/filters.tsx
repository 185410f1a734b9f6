import { createMemo, For, type JSX } from 'solid-js';
import { api, type Group } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';

export type FilterValues = { region: string; division: string; hardware: string };

function GroupFilter(props: {
  label: string;
  all: string;
  groups: Group[];
  value: string;
  onChange: (id: string) => void;
}): JSX.Element {
  return (
    <select
      class="input"
      aria-label={props.label}
      onChange={(event) => props.onChange(event.currentTarget.value)}
    >
      <option value="">{props.all}</option>
      <For each={props.groups}>
        {(group) => (
          <option value={group.id} selected={group.id === props.value}>
            {group.name}
          </option>
        )}
      </For>
    </select>
  );
}

/** Drop-downs for region, division and hardware; the hardware offered is what has been seen in the lists so far. */
export function DeviceFilters(props: {
  values: FilterValues;
  seenHardware: string[];
  onChange: (change: Partial<FilterValues>) => void;
}): JSX.Element {
  const regions = createLoad(
    () => true,
    (_, signal) => api.listRegions(signal),
  );
  const divisions = createLoad(
    () => true,
    (_, signal) => api.listDivisions(signal),
  );
  const hardware = createMemo<string[]>(
    (before) =>
      [...new Set([...before, props.values.hardware, ...props.seenHardware])].filter(Boolean).sort(),
    [],
  );

  return (
    <>
      <GroupFilter
        label={t('devices.region')}
        all={t('devices.allRegions')}
        groups={regions.data ?? []}
        value={props.values.region}
        onChange={(region) => props.onChange({ region })}
      />
      <GroupFilter
        label={t('devices.division')}
        all={t('devices.allDivisions')}
        groups={divisions.data ?? []}
        value={props.values.division}
        onChange={(division) => props.onChange({ division })}
      />
      <GroupFilter
        label={t('devices.hardware')}
        all={t('devices.allHardware')}
        groups={hardware().map((name) => ({ id: name, name, devices: 0 }))}
        value={props.values.hardware}
        onChange={(value) => props.onChange({ hardware: value })}
      />
    </>
  );
}
