import type { JSX } from 'solid-js';
import { api, type Device } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { createPlaces } from '../../places.ts';
import { groupOptions } from './filters.tsx';

/** Name, place and tags of a device. What it is (id, certificate) cannot be changed. */
export function EditDialog(props: { device: Device; onClose: () => void }): JSX.Element {
  const { regions, divisions } = createPlaces();
  const change = (fields: FormData) => {
    const text = (name: string) => String(fields.get(name) ?? '').trim();
    return api.changeDevice(props.device.id, {
      name: text('name') || props.device.id,
      hardware: text('hardware'),
      region: text('region') || null,
      division: text('division') || null,
      tags: text('tags')
        .split(/[\s,;]+/)
        .filter(Boolean),
    });
  };
  // Shown at once, also before the lists have come: nothing may be lost by saving early.
  const own = (place: { id: string; name: string } | null) =>
    place ? [{ value: place.id, label: place.name }] : [];
  return (
    <FormDialog title={t('device.edit')} act={change} actLabel={t('common.save')} onClose={props.onClose}>
      <TextField name="name" label={t('devices.name')} value={props.device.name} maxLength={100} />
      <SelectField
        name="region"
        label={t('devices.region')}
        all={t('common.none')}
        options={regions.data ? groupOptions(regions.data) : own(props.device.region)}
        value={props.device.region?.id ?? ''}
      />
      <SelectField
        name="division"
        label={t('devices.division')}
        all={t('common.none')}
        options={divisions.data ? groupOptions(divisions.data) : own(props.device.division)}
        value={props.device.division?.id ?? ''}
      />
      <TextField
        name="hardware"
        label={t('devices.hardware')}
        value={props.device.hardware}
        maxLength={64}
        required
      />
      <TextField
        name="tags"
        label={t('devices.tags')}
        hint={t('device.tagsHint')}
        value={props.device.tags.join(' ')}
        maxLength={2000}
      />
    </FormDialog>
  );
}
