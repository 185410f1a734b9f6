import type { JSX } from 'solid-js';
import { api, type Group } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import type { Filters } from '../../list.ts';
import { createLoad } from '../../load.ts';
import { Select } from '../../parts/select.tsx';
import { createPlaces } from '../../places.ts';

export const filterNames = [
  'q',
  'search',
  'region',
  'division',
  'hardware',
  'online',
  'tag',
  'sort',
] as const;
export type DeviceFilters = Filters<(typeof filterNames)[number]>;

export const groupOptions = (groups: Group[] | undefined) =>
  (groups ?? []).map((group) => ({ value: group.id, label: group.name }));

/** Drop-downs for region, division, hardware and connection, all from the server. */
export function DeviceFilterFields(props: { filters: DeviceFilters }): JSX.Element {
  const { regions, divisions } = createPlaces();
  const hardware = createLoad(
    () => true,
    (_, signal) => api.listHardware(signal),
    'hardware',
  );

  return (
    <>
      <Select
        label={t('devices.region')}
        all={t('devices.allRegions')}
        options={groupOptions(regions.data)}
        value={props.filters.value('region')}
        onChange={(region) => props.filters.set({ region })}
      />
      <Select
        label={t('devices.division')}
        all={t('devices.allDivisions')}
        options={groupOptions(divisions.data)}
        value={props.filters.value('division')}
        onChange={(division) => props.filters.set({ division })}
      />
      <Select
        label={t('devices.hardware')}
        all={t('devices.allHardware')}
        options={(hardware.data ?? []).map((one) => ({ value: one.hardware, label: one.hardware }))}
        value={props.filters.value('hardware')}
        onChange={(value) => props.filters.set({ hardware: value })}
      />
      <Select
        label={t('devices.connection')}
        all={t('devices.anyConnection')}
        options={[
          { value: 'true', label: t('devices.online') },
          { value: 'false', label: t('devices.offline') },
        ]}
        value={props.filters.value('online')}
        onChange={(online) => props.filters.set({ online })}
      />
    </>
  );
}
