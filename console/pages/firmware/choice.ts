import { createSignal } from 'solid-js';
import { createStore, produce } from 'solid-js/store';
import type { Selection } from '../../api.ts';

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
    !every() && !choices.regions.length && !choices.divisions.length && !choices.devices.length;
  const toSelection = (firmwareId: string): Selection => ({
    firmwareId,
    all: every(),
    regions: choices.regions.map((one) => one.id),
    divisions: choices.divisions.map((one) => one.id),
    devices: choices.devices.map((one) => one.id),
  });

  return { choices, every, setEvery, has, toggle, choose, isEmpty, toSelection };
}
export type Choices = ReturnType<typeof createChoices>;
