import { createEffect, createSignal, onCleanup } from 'solid-js';
import { api } from './api.ts';
import { createSource, type LiveStatus, type SourceOptions, whileVisible } from './source.ts';

export type ChangedKind = 'deployment' | 'device' | 'firmware' | 'audit' | 'dead_letter';
type Watch = { kind: ChangedKind; id: string | undefined; refetch: () => void };
/**
 * One event stream for all who watch. Events are hints to fetch a thing again; whatever happened while the stream was
 * down is not repeated, so after every reconnect all watchers refetch.
 */
export function createLive(options: SourceOptions) {
  const watches = new Set<Watch>();
  const { start, stop } = createSource(options, {
    onOpen: (again) => {
      if (again) for (const watch of [...watches]) watch.refetch();
    },
    events: {
      changed: (data) => {
        const { kind, id } = JSON.parse(data) as { kind: string; id: string };
        for (const watch of [...watches]) {
          if (watch.kind === kind && (watch.id === undefined || watch.id === id)) watch.refetch();
        }
      },
    },
  });
  const watch = (entry: Watch) => {
    watches.add(entry);
    return () => void watches.delete(entry);
  };
  return { start, stop, watch };
}

const [liveStatus, setLiveStatus] = createSignal<LiveStatus>('connecting');

const live = createLive({
  connect: () => new EventSource('/api/live'),
  onStatus: setLiveStatus,
  whenRefused: () => api.me(),
});

export const startLive = (): unknown => whileVisible(live);

/** Calls `refetch` when a thing of `kind` (with that id, if one is given) has changed, and after every reconnect. */
export function useLive(
  kind: ChangedKind,
  id: string | (() => string | undefined) | undefined,
  refetch: () => void,
) {
  createEffect(() => onCleanup(live.watch({ kind, id: typeof id === 'function' ? id() : id, refetch })));
}

export { type LiveStatus, liveStatus };
