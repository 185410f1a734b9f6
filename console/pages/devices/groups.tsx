import { createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { api, type DeviceGroup } from '../../api.ts';
import { asSeen } from '../../as-seen.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { reachesAll } from '../../session.ts';
import { GroupSelect } from './group-select.tsx';
import { GroupVersions } from './group-versions.tsx';

/** Saved queries, also when somebody else saves one. They are the fleet's: a limited reach has none. */
export function createGroups() {
  const load = createLoad(
    () => reachesAll() || null,
    (_, signal) => api.listGroups(signal),
  );
  useLive('audit', 'group', load.refetch);
  return load;
}

/** The saved query that this text is, by which it can be chosen, saved, renamed and deleted. */
export function Groups(props: { query: string; onQuery: (query: string) => void }): JSX.Element {
  const groups = createGroups();
  const [asking, setAsking] = createSignal<'save' | 'rename' | 'pin' | 'delete'>();
  const chosen = () => groups.data?.find(({ query }) => query === props.query);
  const close = () => {
    setAsking(undefined);
    groups.refetch();
  };
  return (
    <>
      <div class="tools">
        <Show when={groups.data?.length}>
          <GroupSelect
            groups={groups.data!}
            label={t('groups.label')}
            chosen={chosen()}
            onChoose={(group) => props.onQuery(group?.query ?? '')}
          />
        </Show>
        <Allowed to="operator" fleet>
          <Show
            when={chosen()}
            fallback={
              <Show when={props.query !== ''}>
                <button type="button" class="button" onClick={() => setAsking('save')}>
                  {t('groups.save')}
                </button>
              </Show>
            }
          >
            <button type="button" class="plain link" onClick={() => setAsking('rename')}>
              {t('groups.rename')}
            </button>
            <button type="button" class="plain link" onClick={() => setAsking('pin')}>
              {t('groups.pin')}
            </button>
            <button type="button" class="plain link" onClick={() => setAsking('delete')}>
              {t('groups.delete')}
            </button>
          </Show>
          <Switch>
            <Match when={asking() === 'save'}>
              <SaveDialog query={props.query} groups={groups.data ?? []} onClose={close} />
            </Match>
            <Match when={asking() === 'rename' && chosen()} keyed>
              {(group) => <RenameDialog group={group} onClose={close} />}
            </Match>
            <Match when={asking() === 'pin' && chosen()} keyed>
              {(group) => <PinDialog group={group} onClose={close} />}
            </Match>
            <Match when={asking() === 'delete' && chosen()} keyed>
              {(group) => (
                <Confirm
                  title={t('groups.deleteTitle', { name: group.name })}
                  of={group}
                  act={(seen) => api.deleteGroup(group.id, seen)}
                  actLabel={t('groups.delete')}
                  keepLabel={t('groups.keep')}
                  onClose={close}
                >
                  <p>{t('groups.deleteWhat')}</p>
                </Confirm>
              )}
            </Match>
          </Switch>
        </Allowed>
      </div>
      <Show when={chosen()} keyed>
        {(group) => <GroupVersions group={group} />}
      </Show>
    </>
  );
}

function RenameDialog(props: { group: DeviceGroup; onClose: () => void }): JSX.Element {
  const group = asSeen(props.group);
  return (
    <FormDialog
      title={t('groups.renameTitle', { name: group.name })}
      of={group}
      act={(fields, seen) => api.changeGroup(group.id, { name: String(fields.get('name')).trim() }, seen)}
      actLabel={t('groups.rename')}
      onClose={props.onClose}
    >
      <TextField name="name" label={t('groups.name')} value={group.name} maxLength={100} required />
    </FormDialog>
  );
}

function PinDialog(props: { group: DeviceGroup; onClose: () => void }): JSX.Element {
  const group = asSeen(props.group);
  return (
    <FormDialog
      title={t('groups.pinTitle', { name: group.name })}
      lead={t('groups.pinLead')}
      of={group}
      act={(fields, seen) => {
        const said = (name: string) => String(fields.get(name)).trim() || null;
        return api.changeGroup(group.id, { pinned: said('pinned'), channel: said('channel') }, seen);
      }}
      actLabel={t('common.save')}
      onClose={props.onClose}
    >
      <TextField name="pinned" label={t('device.pinned')} value={group.pinned ?? ''} maxLength={64} />
      <TextField name="channel" label={t('device.channel')} value={group.channel ?? ''} maxLength={32} />
    </FormDialog>
  );
}

function SaveDialog(props: { query: string; groups: DeviceGroup[]; onClose: () => void }): JSX.Element {
  const [name, setName] = createSignal('');
  const there = () => props.groups.find((group) => group.name === name().trim());
  return (
    <FormDialog
      title={t('groups.saveTitle')}
      lead={t('groups.saveLead')}
      act={() => {
        const found = there();
        if (found) return api.changeGroup(found.id, { query: props.query }, found.revision);
        return api.createGroup({ name: name().trim(), query: props.query });
      }}
      actLabel={t('common.save')}
      ready={name().trim() !== ''}
      onClose={props.onClose}
    >
      <p>
        <code>{props.query}</code>
      </p>
      <TextField
        name="name"
        label={t('groups.name')}
        hint={there() ? t('groups.replaces') : ''}
        maxLength={100}
        required
        onInput={setName}
      />
    </FormDialog>
  );
}
