import { createSignal, For, type JSX, Show } from 'solid-js';
import { api, type Group } from '../../api.ts';
import { formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Online } from '../../parts/online.tsx';
import { SearchField } from '../../parts/search-field.tsx';
import { Chevron } from '../../parts/state.tsx';
import type { ChoiceKind, Choices } from './choice.ts';

const shownDevices = 50;

function Picker(props: {
  title: string;
  chosen: number;
  open?: boolean;
  children: JSX.Element;
  testId: string;
}): JSX.Element {
  return (
    <details class="picker" open={props.open} data-testid={props.testId}>
      <summary>
        <Chevron />
        {props.title}
        <Show when={props.chosen > 0}>
          <span class="count">{t('deploy.chosen', { n: props.chosen })}</span>
        </Show>
      </summary>
      <div class="inside">{props.children}</div>
    </details>
  );
}

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

/** All regions (or divisions) with how many devices each has; the search is over what is here already. */
export function GroupPicker(props: {
  kind: 'regions' | 'divisions';
  title: string;
  searchLabel: string;
  none: string;
  load: (signal: AbortSignal) => Promise<Group[]>;
  choices: Choices;
}): JSX.Element {
  const [search, setSearch] = createSignal('');
  const load = createLoad(
    () => true,
    (_, signal) => props.load(signal),
  );
  const matching = () => {
    const wanted = search().toLocaleLowerCase();
    return (load.data ?? []).filter((group) => group.name.toLocaleLowerCase().includes(wanted));
  };
  return (
    <Picker
      title={props.title}
      chosen={props.choices.choices[props.kind].length}
      testId={`pick-${props.kind}`}
      open
    >
      <Loaded load={load}>
        {(groups) => (
          <Show when={groups().length} fallback={<p class="soft">{props.none}</p>}>
            <Show when={groups().length > 8}>
              <SearchField label={props.searchLabel} value={search()} onSearch={setSearch} />
            </Show>
            <ul class="choices">
              <For each={matching()} fallback={<li class="soft">{t('deploy.noMatch')}</li>}>
                {(group) => (
                  <Choose choices={props.choices} kind={props.kind} id={group.id} name={group.name}>
                    {t('common.devices', { n: group.devices })}
                  </Choose>
                )}
              </For>
            </ul>
          </Show>
        )}
      </Loaded>
    </Picker>
  );
}

/** Devices of the firmware's hardware, searched on the server because there may be many thousands. */
export function DevicePicker(props: { hardware: string; choices: Choices }): JSX.Element {
  const [search, setSearch] = createSignal('');
  const load = createLoad(
    () => ({ search: search(), hardware: props.hardware, limit: shownDevices }),
    (query, signal) => api.listDevices(query, signal),
  );
  return (
    <Picker
      title={t('deploy.devices')}
      chosen={props.choices.choices.devices.length}
      testId="pick-devices"
      open
    >
      <SearchField label={t('deploy.searchDevices')} value={search()} onSearch={setSearch} />
      <Loaded load={load}>
        {(data) => (
          <>
            <ul class="choices">
              <For
                each={data().items}
                fallback={
                  <li class="soft">
                    {search() ? t('deploy.noMatch') : t('deploy.noDevices', { hardware: props.hardware })}
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
            </ul>
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
