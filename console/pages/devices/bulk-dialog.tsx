import { useNavigate } from '@solidjs/router';
import { createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { api, type Chosen, type Job } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { CommandFields, namePattern, readArgs } from './command-fields.tsx';
import { groupOptions } from './filters.tsx';
import { FirmwareField } from './firmware-field.tsx';

export type BulkAct = Job['act'] | 'deploy';

/** From so many on, whoever confirms types how many it is. */
const many = 100;

/** Asks once, with the number, and starts a job on the server; a deployment goes on in its own form. */
export function BulkDialog(props: {
  act: BulkAct;
  /** As it was when the dialog was opened. */
  chosen: Chosen;
  count: number;
  onClose: () => void;
}): JSX.Element {
  const navigate = useNavigate();
  const { act, chosen, count } = props;
  const [typed, setTyped] = createSignal('');
  const [command, setCommand] = createSignal('');
  const [args, setArgs] = createSignal('');
  const [tags, setTags] = createSignal('');
  const [firmware, setFirmware] = createSignal('');
  const regions = createLoad(
    () => (act === 'move' ? true : null),
    (_, signal) => api.listRegions(signal),
  );
  const asksNumber = act !== 'deploy' && count >= many;
  const ready = () => {
    if (asksNumber && typed().trim() !== String(count)) return false;
    if (act === 'command') return namePattern.test(command()) && readArgs(args()) !== null;
    if (act === 'tag') return tags().trim() !== '';
    return act !== 'deploy' || firmware() !== '';
  };
  const run = async (fields: FormData): Promise<void> => {
    const text = (name: string) => String(fields.get(name) ?? '').trim();
    const words = (name: string) =>
      text(name)
        .split(/[\s,]+/)
        .filter(Boolean);
    const start = async (given: Record<string, unknown>) => {
      const job = await api.startJob(act as Job['act'], { ...chosen, ...given });
      navigate(`/jobs/${job.id}`);
    };
    switch (act) {
      case 'deploy':
        return navigate(`/firmware/${firmware()}/deploy`, { state: { chosen } });
      case 'tag':
        return start({ add: words('add'), remove: words('remove') });
      case 'move':
        return start({ region: text('region') || null });
      case 'pin':
        return start({ version: text('version') });
      case 'unpin':
        return start({});
      case 'channel':
        return start({ channel: text('channel') });
      case 'command': {
        const given = readArgs(args());
        return start({ command: command(), ...(given && { args: given }) });
      }
      case 'ban':
        return start({ reason: text('reason') });
    }
  };

  return (
    <FormDialog
      danger={act === 'ban'}
      title={t(`bulk.${act}Title`, { n: count })}
      lead={act === 'deploy' ? t('bulk.deployLead') : act === 'ban' ? t('bulk.banLead') : t('bulk.lead')}
      act={run}
      actLabel={act === 'deploy' ? t('bulk.toForm') : t(`bulk.${act}`)}
      ready={ready()}
      onClose={props.onClose}
    >
      <Switch>
        <Match when={act === 'deploy'}>
          <FirmwareField onChoose={setFirmware} />
        </Match>
        <Match when={act === 'tag'}>
          <div onInput={(event) => setTags(tagsOf(event.currentTarget))}>
            <TextField name="add" label={t('bulk.addTags')} hint={t('bulk.tagsHint')} maxLength={500} />
            <TextField name="remove" label={t('bulk.removeTags')} maxLength={500} />
          </div>
        </Match>
        <Match when={act === 'move'}>
          <SelectField
            name="region"
            label={t('devices.region')}
            all={t('bulk.noRegion')}
            options={groupOptions(regions.data)}
            value=""
          />
        </Match>
        <Match when={act === 'pin'}>
          <TextField name="version" label={t('firmware.version')} maxLength={64} required />
        </Match>
        <Match when={act === 'channel'}>
          <TextField
            name="channel"
            label={t('device.channel')}
            hint={t('device.channelHint')}
            maxLength={32}
            required
          />
        </Match>
        <Match when={act === 'command'}>
          <CommandFields name={command()} args={args()} setName={setCommand} setArgs={setArgs} />
        </Match>
        <Match when={act === 'ban'}>
          <TextField name="reason" label={t('device.banReason')} maxLength={500} />
        </Match>
      </Switch>
      <Show when={asksNumber}>
        <TextField
          name="number"
          label={t('bulk.typeNumber', { n: String(count) })}
          inputMode="numeric"
          onInput={setTyped}
        />
      </Show>
    </FormDialog>
  );
}

const tagsOf = (form: HTMLElement) =>
  [...form.querySelectorAll('input')].map((input) => input.value.trim()).join('');
