/** The show of `npm start`: control over its virtual devices, and what they do, for the console's page of that name. */
import type { ShowAct, ShowDevice } from '#console/pages/show/wire.ts';
import type { Fleet } from '../fleet/devices.ts';
import type { Rest } from '../rest.ts';
import { Tracker } from './tracker.ts';

export interface ShowSizes {
  /** Of each image. */
  imageBytes: number;
  /** A link on which an update takes so long that one can watch every chunk. */
  slowBytesPerSecond: number;
}
const watchable: ShowSizes = { imageBytes: 4 * 1024 * 1024, slowBytesPerSecond: 48 * 1024 };

export interface Show {
  imageBytes: number;
  /** Before this there are no devices. */
  attach(fleet: Fleet, rest: Rest): void;
  rest(): Rest | null;
  /** By id. */
  devices(): ShowDevice[];
  ids(): string[];
  /** Devices that are not known are left out; answers how many were acted on. */
  act(act: ShowAct, ids: string[], forMs: number): number;
  /** Calls back, at once and often, when a device has changed; returns the way to stop. */
  watch(listener: (id: string) => void): () => void;
  view(id: string): ShowDevice | null;
}

export function createShow({ imageBytes, slowBytesPerSecond }: ShowSizes = watchable): Show {
  const trackers = new Map<string, Tracker>();
  const listeners = new Set<(id: string) => void>();
  let fleet: Fleet | null = null;
  let rest: Rest | null = null;

  function perform(act: ShowAct, tracker: Tracker, forMs: number): void {
    if (act === 'cut_network') tracker.cutNetwork(forMs);
    else if (act === 'pull_plug') tracker.pullPlug(forMs);
    else setSlow(tracker, act === 'slow_down');
  }

  function setSlow(tracker: Tracker, slow: boolean): void {
    if (slow === tracker.slow) return;
    tracker.slow = slow;
    fleet?.setSpeed(tracker.device.id, slow ? slowBytesPerSecond : null);
    tracker.note({ code: slow ? 'slowed' : 'full_speed' });
  }

  return {
    imageBytes,
    attach(given, calls) {
      fleet = given;
      rest = calls;
      for (const device of [...given.devices].sort((a, b) => (a.id < b.id ? -1 : 1))) {
        const changed = () => {
          for (const listener of listeners) listener(device.id);
        };
        trackers.set(device.id, new Tracker(device, changed));
      }
    },
    rest: () => rest,
    devices: () => [...trackers.values()].map((tracker) => tracker.view()),
    ids: () => [...trackers.keys()],
    act(act, ids, forMs) {
      const known = ids.flatMap((id) => trackers.get(id) ?? []);
      for (const tracker of known) perform(act, tracker, forMs);
      return known.length;
    },
    watch(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    view: (id) => trackers.get(id)?.view() ?? null,
  };
}
