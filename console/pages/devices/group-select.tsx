import type { JSX } from 'solid-js';
import type { DeviceGroup } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { Select } from '../../parts/select.tsx';

/** One of the saved queries, or none. */
export function GroupSelect(props: {
  groups: DeviceGroup[];
  label: string;
  chosen: DeviceGroup | undefined;
  onChoose: (group: DeviceGroup | undefined) => void;
}): JSX.Element {
  return (
    <Select
      label={props.label}
      all={t('groups.none')}
      options={props.groups.map(({ id, name }) => ({ value: id, label: name }))}
      value={props.chosen?.id ?? ''}
      onChange={(id) => props.onChoose(props.groups.find((one) => one.id === id))}
    />
  );
}
