import { createMemo, createSignal, For, type JSX, Show } from 'solid-js';
import { api, type Device, type FirmwareDetails, type Group } from '../../api.ts';
import { formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { createLoad, type Load } from '../../load.ts';
import { isChild } from '../../parts/hardware-words.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Online } from '../../parts/online.tsx';
import { Picker } from '../../parts/picker.tsx';
import { useRoving } from '../../parts/roving.ts';
import { SearchField } from '../../parts/search-field.tsx';
import { Select } from '../../parts/select.tsx';
import { groupOptions } from '../devices/filters.tsx';
import type { ChoiceKind, Choices } from './choice.ts';

const shownDevices = 50;
/** The server does not filter by component: the more are asked for, the more of those that have it are found. */
const askedForComponent = 500;

const chosenNote = (choices: Choices, kind: ChoiceKind) => {
  const n = choices.choices[kind].length;
  return n > 0 ? t('deploy.chosen', { n }) : undefined;
};

function Choose(props: {
  choices: Choices;
  kind: ChoiceKind;
  id: string;
  name: string;
  children: JSX.Element;
}): JSX.Element {
  return (
    <li>
      <label>
        <input
          type="checkbox"
          checked={props.choices.has(props.kind, props.id)}
          onChange={() => props.choices.toggle(props.kind, { id: props.id, name: props.name })}
        />
        <span>{props.name}</span>
        <span class="soft">{props.children}</span>
      </label>
    </li>
  );
}

/** Things to tick, one stop of the keyboard however many there are. */
function ChoiceList(props: { children: JSX.Element }): JSX.Element {
  let list!: HTMLUListElement;
  useRoving(() => list);
  return (
    <ul class="choices" ref={list}>
      {props.children}
    </ul>
  );
}

/** All regions (or divisions) with how many devices each has; the search is over what is here already. */
export function GroupPicker(props: {
  kind: 'regions' | 'divisions';
  title: string;
  searchLabel: string;
  none: string;
  load: Load<Group[]>;
  choices: Choices;
}): JSX.Element {
  const [search, setSearch] = createSignal('');
  const matching = () => {
    const wanted = search().toLocaleLowerCase();
    return (props.load.data ?? []).filter((group) => group.name.toLocaleLowerCase().includes(wanted));
  };
  return (
    <Picker
      title={props.title}
      note={chosenNote(props.choices, props.kind)}
      testId={`pick-${props.kind}`}
      open
    >
      <Loaded load={props.load}>
        {(groups) => (
          <Show when={groups().length} fallback={<p class="soft">{props.none}</p>}>
            <Show when={groups().length > 8}>
              <SearchField label={props.searchLabel} value={search()} onSearch={setSearch} />
            </Show>
            <ChoiceList>
              <For each={matching()} fallback={<li class="soft">{t('deploy.noMatch')}</li>}>
                {(group) => (
                  <Choose choices={props.choices} kind={props.kind} id={group.id} name={group.name}>
                    {t('common.devices', { n: group.devices })}
                  </Choose>
                )}
              </For>
            </ChoiceList>
          </Show>
        )}
      </Loaded>
    </Picker>
  );
}

/** Devices that the firmware fits, searched on the server because there may be many thousands. */
export function DevicePicker(props: {
  firmware: FirmwareDetails;
  regions: Group[] | undefined;
  divisions: Group[] | undefined;
  choices: Choices;
}): JSX.Element {
  const [search, setSearch] = createSignal('');
  const [region, setRegion] = createSignal('');
  const [division, setDivision] = createSignal('');
  const load = createLoad(
    () => ({
      search: search(),
      region: region(),
      division: division(),
      ...(isChild(props.firmware)
        ? { limit: askedForComponent }
        : { hardware: props.firmware.hardware, limit: shownDevices }),
    }),
    (query, signal) => api.listDevices(query, signal),
  );
  const fits = (device: Device) =>
    !isChild(props.firmware) ||
    device.running.some(
      (one) => one.component === props.firmware.component && one.hardware === props.firmware.hardware,
    );
  const fitting = createMemo(() => (load.data?.items ?? []).filter(fits));
  const chooseShown = (devices: Device[]) => {
    for (const { id, name } of devices) {
      if (!props.choices.has('devices', id)) props.choices.toggle('devices', { id, name: name || id });
    }
  };
  return (
    <Picker
      title={t('deploy.devices')}
      note={chosenNote(props.choices, 'devices')}
      testId="pick-devices"
      // Where there are groups, single devices are the exception.
      open={props.regions?.length === 0 && props.divisions?.length === 0}
    >
      <div class="tools">
        <SearchField label={t('deploy.searchDevices')} value={search()} onSearch={setSearch} />
        <Select
          label={t('devices.region')}
          all={t('devices.allRegions')}
          options={groupOptions(props.regions)}
          value={region()}
          onChange={setRegion}
        />
        <Select
          label={t('devices.division')}
          all={t('devices.allDivisions')}
          options={groupOptions(props.divisions)}
          value={division()}
          onChange={setDivision}
        />
      </div>
      <Loaded load={load}>
        {(data) => (
          <>
            <Show when={fitting().length > 1}>
              <p>
                <button type="button" class="plain link small" onClick={() => chooseShown(fitting())}>
                  {t('deploy.chooseShown', { n: fitting().length })}
                </button>
              </p>
            </Show>
            <ChoiceList>
              <For
                each={fitting()}
                fallback={
                  <li class="soft">
                    {search() || region() || division()
                      ? t('deploy.noMatch')
                      : t(isChild(props.firmware) ? 'deploy.noComponents' : 'deploy.noDevices', {
                          component: props.firmware.component,
                          hardware: props.firmware.hardware,
                        })}
                  </li>
                }
              >
                {(device) => (
                  <Choose
                    choices={props.choices}
                    kind="devices"
                    id={device.id}
                    name={device.name || device.id}
                  >
                    <Online online={device.online} />
                  </Choose>
                )}
              </For>
            </ChoiceList>
            <Show when={data().items.length - fitting().length}>
              {(n) => <p class="hint">{t('deploy.withoutComponent', { n: n() })}</p>}
            </Show>
            <Show when={data().total > data().items.length}>
              <p class="hint">
                {t('deploy.firstOf', {
                  shown: formatNumber(language(), data().items.length),
                  total: data().total,
                })}
              </p>
            </Show>
          </>
        )}
      </Loaded>
    </Picker>
  );
}
