import { createSignal, type JSX, Show } from 'solid-js';
import { adminApi, type Place, type PlaceKind } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';

const wordOf = (kind: PlaceKind) => (kind === 'regions' ? 'region' : 'division');

/** Adds one, or renames the one that is given. */
export function NamePlace(props: { kind: PlaceKind; place?: Place; onClose: () => void }): JSX.Element {
  const save = (fields: FormData) => {
    const name = String(fields.get('name')).trim();
    return props.place
      ? adminApi.renamePlace(props.kind, props.place.id, name)
      : adminApi.createPlace(props.kind, name);
  };
  return (
    <FormDialog
      title={
        props.place
          ? t('places.renameTitle', { name: props.place.name })
          : t(`places.add.${wordOf(props.kind)}`)
      }
      act={save}
      actLabel={props.place ? t('common.save') : t('places.add')}
      onClose={props.onClose}
    >
      <TextField
        name="name"
        label={t('places.name')}
        value={props.place?.name ?? ''}
        maxLength={100}
        required
      />
    </FormDialog>
  );
}

/** Says what becomes of its devices, and lets one choose. */
export function DeletePlace(props: {
  kind: PlaceKind;
  place: Place;
  others: Place[];
  onClose: () => void;
}): JSX.Element {
  const [to, setTo] = createSignal('');
  const remove = async () => {
    if (props.place.devices > 0) await adminApi.moveDevices(props.kind, props.place.id, to() || null);
    await adminApi.deletePlace(props.kind, props.place.id);
  };
  return (
    <FormDialog
      danger
      title={t('places.deleteTitle', { name: props.place.name })}
      act={remove}
      actLabel={t('places.delete')}
      keepLabel={t('places.keep')}
      onClose={props.onClose}
    >
      <Show when={props.place.devices > 0} fallback={<p>{t('places.deleteEmpty')}</p>}>
        <p>{t('places.deleteWhat', { n: props.place.devices })}</p>
        <SelectField
          name="to"
          label={t('places.moveTo')}
          all={t('places.nowhere')}
          options={props.others.map(({ id, name }) => ({ value: id, label: name }))}
          value={to()}
          onChange={setTo}
        />
      </Show>
      <p class="soft small">{t('places.deleteDeployments')}</p>
    </FormDialog>
  );
}
