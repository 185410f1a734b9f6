import { createSignal } from 'solid-js';
import { createStore, produce } from 'solid-js/store';
import type { Chosen, Selection } from '../../api.ts';

export type ChoiceKind = 'regions' | 'divisions' | 'devices';
export type Choice = { id: string; name: string };

/** What has been ticked, in order; names are kept so that the summary can say them when they are not in a list. */
export function createChoices() {
  const [choices, setChoices] = createStore<Record<ChoiceKind, Choice[]>>({
    regions: [],
    divisions: [],
    devices: [],
  });

  /** Every device with the firmware's hardware. */
  const [every, setEvery] = createSignal(false);
  /** Narrows the others; alone it chooses by itself. */
  const [query, setQuery] = createSignal<{ text: string; group?: string }>({ text: '' });
  const has = (kind: ChoiceKind, id: string) => choices[kind].some((one) => one.id === id);
  const toggle = (kind: ChoiceKind, choice: Choice) =>
    setChoices(
      produce((all) => {
        all[kind] = all[kind].some((one) => one.id === choice.id)
          ? all[kind].filter((one) => one.id !== choice.id)
          : [...all[kind], { id: choice.id, name: choice.name }];
      }),
    );
  const choose = (kind: ChoiceKind, all: Choice[]) => setChoices(kind, all);
  const isEmpty = () =>
    !every() &&
    query().text === '' &&
    !choices.regions.length &&
    !choices.divisions.length &&
    !choices.devices.length;
  const toSelection = (firmwareId: string): Selection => ({
    firmwareId,
    all: every(),
    regions: choices.regions.map((one) => one.id),
    divisions: choices.divisions.map((one) => one.id),
    devices: choices.devices.map((one) => one.id),
    ...toFields(query()),
  });
  /** What was chosen on the devices page. */
  const take = (chosen: Chosen) => {
    if ('all' in chosen) setEvery(true);
    else if ('query' in chosen) setQuery({ text: chosen.query });
    else
      choose(
        'devices',
        chosen.devices.map((id) => ({ id, name: id })),
      );
  };

  return { choices, every, setEvery, has, toggle, choose, query, setQuery, take, isEmpty, toSelection };
}
const toFields = ({ text, group }: { text: string; group?: string }) => {
  if (text === '') return {};
  return group === undefined ? { query: text } : { group };
};
export type Choices = ReturnType<typeof createChoices>;
