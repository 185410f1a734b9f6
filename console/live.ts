import { createEffect, createSignal, onCleanup } from 'solid-js';
import { api } from './api.ts';

export type ChangedKind = 'deployment' | 'device' | 'firmware';
export type LiveStatus = 'connecting' | 'open' | 'lost';
type Watch = { kind: ChangedKind; id: string | undefined; refetch: () => void };
/** The part of an EventSource that is used. */
type Source = {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: Event) => void): void;
  close(): void;
};

const closed = 2;

/**
 * One event stream for all who watch. Events are hints to fetch a thing again; whatever happened while the stream was
 * down is not repeated, so after every reconnect all watchers refetch. `whenRefused` runs before an attempt that follows
 * an HTTP refusal (the browser does not retry those by itself); it is the place to log in again.
 */
export function createLive(options: {
  connect: () => Source;
  onStatus: (status: LiveStatus) => void;
  whenRefused: () => Promise<unknown>;
  retryMs?: number;
}) {
  const watches = new Set<Watch>();
  let source: Source | null = null;
  let missedSome = false;
  let retry: ReturnType<typeof setTimeout> | undefined;

  const start = () => {
    if (source) return;
    clearTimeout(retry);
    options.onStatus('connecting');
    const opened = options.connect();
    source = opened;
    opened.addEventListener('open', () => {
      options.onStatus('open');
      if (missedSome) for (const watch of [...watches]) watch.refetch();
      missedSome = false;
    });
    opened.addEventListener('changed', (event) => {
      const { kind, id } = JSON.parse((event as MessageEvent<string>).data) as { kind: string; id: string };
      for (const watch of [...watches]) {
        if (watch.kind === kind && (watch.id === undefined || watch.id === id)) watch.refetch();
      }
    });
    opened.addEventListener('error', () => {
      if (source !== opened) return;
      missedSome = true;
      options.onStatus('lost');
      if (opened.readyState !== closed) return;
      source = null;
      retry = setTimeout(() => {
        options.whenRefused().then(start, start);
      }, options.retryMs ?? 2_000);
    });
  };

  const stop = () => {
    clearTimeout(retry);
    source?.close();
    source = null;
    missedSome = true;
  };

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

/** Starts the stream; a hidden tab gives its connection back, because browsers allow only six to one HTTP/1.1 origin. */
export function startLive(): void {
  const follow = () => (document.hidden ? live.stop() : live.start());
  document.addEventListener('visibilitychange', follow);
  follow();
}

/** Calls `refetch` when a thing of `kind` (with that id, if one is given) has changed, and after every reconnect. */
export function useLive(
  kind: ChangedKind,
  id: string | (() => string | undefined) | undefined,
  refetch: () => void,
) {
  createEffect(() => onCleanup(live.watch({ kind, id: typeof id === 'function' ? id() : id, refetch })));
}

export { liveStatus };
