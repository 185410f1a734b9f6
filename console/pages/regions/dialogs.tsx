import { createSignal, For, type JSX, Show } from 'solid-js';
import { adminApi, type Place, type PlaceKind } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { told } from '../../parts/toast.tsx';

const wordOf = (kind: PlaceKind) => (kind === 'regions' ? 'region' : 'division');

const zoneList = 'time-zones';
const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Adds one, or changes the one that is given; what is left as it is is not sent. */
export function NamePlace(props: { kind: PlaceKind; place?: Place; onClose: () => void }): JSX.Element {
  const zoned = () => props.kind === 'regions';
  // As it was when the form was opened, whatever comes meanwhile.
  const seen = props.place?.revision ?? 0;
  const save = async (fields: FormData) => {
    const name = String(fields.get('name')).trim();
    const timeZone = String(fields.get('timeZone') ?? '').trim();
    if (!props.place) {
      await adminApi.createPlace(props.kind, { name, ...(zoned() && { timeZone }) });
      return;
    }
    const change = {
      ...(name !== props.place.name && { name }),
      ...(zoned() && timeZone !== props.place.timeZone && { timeZone }),
    };
    if (!Object.keys(change).length) return;
    const { id, ...before } = props.place;
    const { kind } = props;
    const saved = await adminApi.changePlace(props.kind, id, change, seen);
    const undone = {
      ...('name' in change && { name: before.name }),
      ...('timeZone' in change && { timeZone: before.timeZone! }),
    };
    void told(t('toast.saved', { name }), () => adminApi.changePlace(kind, id, undone, saved.revision));
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
      <Show when={zoned()}>
        <TextField
          name="timeZone"
          label={t('places.timeZone')}
          hint={t('places.timeZoneHint')}
          value={props.place?.timeZone ?? ownZone()}
          list={zoneList}
          maxLength={64}
          required
        />
        <datalist id={zoneList}>
          <For each={Intl.supportedValuesOf('timeZone')}>{(zone) => <option value={zone} />}</For>
        </datalist>
      </Show>
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
