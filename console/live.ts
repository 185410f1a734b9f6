import { createEffect, createSignal, onCleanup } from 'solid-js';
import { api } from './api.ts';
import { createSource, type LiveStatus, type SourceOptions, whileVisible } from './source.ts';

export type ChangedKind =
  | 'deployment'
  | 'device'
  | 'firmware'
  | 'vulnerability'
  | 'audit'
  | 'dead_letter'
  | 'notification'
  | 'command'
  | 'log'
  | 'job';
type Watch = { kind: ChangedKind; id: string | undefined; refetch: () => void };
/**
 * One event stream for all who watch. Events are hints to fetch a thing again; whatever happened while the stream was
 * down is not repeated, so after every reconnect all watchers refetch. Of logs there are too many to be told of all:
 * `connect` is told whose are looked at, and another one's mean another connection.
 */
export function createLive({
  connect,
  ...options
}: Omit<SourceOptions, 'connect'> & {
  connect: (logsOf: string | undefined) => ReturnType<SourceOptions['connect']>;
}) {
  const watches = new Set<Watch>();
  const logsOf = () => [...watches].find((watch) => watch.kind === 'log')?.id;
  let connected: string | undefined;
  const ownOptions = {
    ...options,
    connect: () => {
      connected = logsOf();
      return connect(connected);
    },
  };
  const { start, stop, renew } = createSource(ownOptions, {
    onOpen: (again) => {
      for (const watch of [...watches]) if (again || watch.kind === 'log') watch.refetch();
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
  // From one device's page to the next it is one step, not two.
  const renewIfOthers = () => queueMicrotask(() => logsOf() !== connected && renew());
  const watch = (entry: Watch) => {
    const { kind } = entry;
    watches.add(entry);
    if (kind === 'log') renewIfOthers();
    return () => {
      watches.delete(entry);
      if (kind === 'log') renewIfOthers();
    };
  };
  return { start, stop, watch };
}

const [live, setLive] = createSignal<{ status: LiveStatus; heardAtMs: number }>({
  status: 'connecting',
  heardAtMs: Date.now(),
});
const liveStatus = (): LiveStatus => live().status;
/** How old what is shown may be; ms since 1970. */
const heardAtMs = (): number => live().heardAtMs;

const stream = createLive({
  connect: (logsOf) =>
    new EventSource(logsOf ? `/api/live?logs_of=${encodeURIComponent(logsOf)}` : '/api/live'),
  onStatus: (status, at) => setLive({ status, heardAtMs: at }),
  whenRefused: () => api.me(),
});

export const startLive = (): unknown => whileVisible(stream);

/** Calls `refetch` when a thing of `kind` (with that id, if one is given) has changed, and after every reconnect. */
export function useLive(
  kind: ChangedKind,
  id: string | (() => string | undefined) | undefined,
  refetch: () => void,
) {
  createEffect(() => onCleanup(stream.watch({ kind, id: typeof id === 'function' ? id() : id, refetch })));
}

export { heardAtMs, type LiveStatus, liveStatus };
