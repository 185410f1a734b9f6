import { createSignal, For, type JSX, Show } from 'solid-js';
import { adminApi, type Place, type PlaceKind } from '../../admin-api.ts';
import { asSeen } from '../../as-seen.ts';
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
  const place = props.place && asSeen(props.place);
  const save = async (fields: FormData, seen: number) => {
    const name = String(fields.get('name')).trim();
    const timeZone = String(fields.get('timeZone') ?? '').trim();
    if (!place) {
      await adminApi.createPlace(props.kind, { name, ...(zoned() && { timeZone }) });
      return;
    }
    const change = {
      ...(name !== place.name && { name }),
      ...(zoned() && timeZone !== place.timeZone && { timeZone }),
    };
    if (!Object.keys(change).length) return;
    const { id, ...before } = place;
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
      title={place ? t('places.renameTitle', { name: place.name }) : t(`places.add.${wordOf(props.kind)}`)}
      of={place}
      act={save}
      actLabel={place ? t('common.save') : t('places.add')}
      onClose={props.onClose}
    >
      <TextField name="name" label={t('places.name')} value={place?.name ?? ''} maxLength={100} required />
      <Show when={zoned()}>
        <TextField
          name="timeZone"
          label={t('places.timeZone')}
          hint={t('places.timeZoneHint')}
          value={place?.timeZone ?? ownZone()}
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
  const remove = async (_: FormData, seen: number) => {
    const { id, devices } = props.place;
    if (devices > 0) await adminApi.moveDevices(props.kind, id, to() || null, seen);
    await adminApi.deletePlace(props.kind, id, seen);
  };
  return (
    <FormDialog
      danger
      title={t('places.deleteTitle', { name: props.place.name })}
      of={props.place}
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
