import { createSignal, For, type JSX } from 'solid-js';
import {
  adminApi,
  type NewRule,
  type NotificationChannel,
  type NotificationRule,
  type Place,
} from '../../admin-api.ts';
import { api } from '../../api.ts';
import { asSeen } from '../../as-seen.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Boxes } from '../../parts/boxes.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { eventKinds, severities } from './words.ts';

const zoneList = 'quiet-zones';
const ownZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Adds a rule, or changes the one that is given. */
export function RuleDialog(props: {
  rule?: NotificationRule | undefined;
  channels: NotificationChannel[];
  regions: Place[];
  onClose: () => void;
}): JSX.Element {
  const rule = props.rule && asSeen(props.rule);
  const [region, setRegion] = createSignal(rule?.regionId ?? '');
  const [severity, setSeverity] = createSignal<string>(rule?.minSeverity ?? 'info');
  const [group, setGroup] = createSignal(rule?.watch?.group ?? '');
  const groups = createLoad(
    () => true,
    (_, signal) => api.listGroups(signal),
  );
  const save = (fields: FormData, seen: number) => {
    const text = (name: string) => String(fields.get(name) ?? '').trim();
    const isQuiet = text('from') !== '' || text('to') !== '';
    const body = {
      name: text('name'),
      enabled: fields.has('enabled'),
      kinds: fields.getAll('kinds').map(String),
      channels: fields.getAll('channels').map(String),
      regionId: region() || null,
      minSeverity: severity(),
      watch: fields.getAll('kinds').includes('group_matches')
        ? { group: group(), aboveDevices: Number(text('above')) }
        : null,
      quietHours: isQuiet ? { from: text('from'), to: text('to'), timeZone: text('timeZone') } : null,
    } as NewRule;
    return rule ? adminApi.changeRule(rule.id, body, seen) : adminApi.createRule(body);
  };
  return (
    <FormDialog
      wide
      title={t(rule ? 'notify.change' : 'notify.addRule')}
      of={rule}
      act={save}
      actLabel={t(rule ? 'common.save' : 'notify.add')}
      onClose={props.onClose}
    >
      <TextField name="name" label={t('notify.name')} value={rule?.name ?? ''} maxLength={100} required />
      <Boxes
        legend={t('notify.what')}
        name="kinds"
        options={eventKinds.map((kind) => ({ value: kind, label: t(`notify.event.${kind}`) }))}
        chosen={rule?.kinds ?? []}
      />
      <SelectField
        name="group"
        label={t('notify.watched')}
        all={t('groups.none')}
        options={(groups.data ?? []).map(({ id, name }) => ({ value: id, label: name }))}
        value={group()}
        onChange={setGroup}
      />
      <TextField
        name="above"
        label={t('notify.above')}
        hint={t('notify.watchHint')}
        value={String(rule?.watch?.aboveDevices ?? 0)}
        inputMode="numeric"
        maxLength={8}
      />
      <Boxes
        legend={t('notify.to')}
        name="channels"
        options={props.channels.map(({ id, name }) => ({ value: id, label: name }))}
        chosen={rule?.channels ?? []}
      />
      <SelectField
        name="region"
        label={t('notify.where')}
        all={t('notify.everywhere')}
        options={props.regions.map(({ id, name }) => ({ value: id, label: name }))}
        value={region()}
        onChange={setRegion}
      />
      <p class="hint">{t('notify.whereHint')}</p>
      <SelectField
        name="severity"
        label={t('notify.from')}
        options={severities.map((one) => ({ value: one, label: t(`notify.severity.${one}`) }))}
        value={severity()}
        onChange={setSeverity}
      />
      <TextField
        name="from"
        label={t('notify.quiet')}
        hint={t('notify.quietHint')}
        value={rule?.quietHours?.from ?? ''}
        maxLength={5}
      />
      <TextField name="to" label={t('notify.quietTo')} value={rule?.quietHours?.to ?? ''} maxLength={5} />
      <TextField
        name="timeZone"
        label={t('notify.quietZone')}
        value={rule?.quietHours?.timeZone ?? ownZone()}
        list={zoneList}
        maxLength={64}
      />
      <datalist id={zoneList}>
        <For each={Intl.supportedValuesOf('timeZone')}>{(zone) => <option value={zone} />}</For>
      </datalist>
      <p>
        <label>
          <input type="checkbox" name="enabled" checked={rule?.enabled ?? true} /> {t('notify.enabled')}
        </label>
      </p>
    </FormDialog>
  );
}
