import { createEffect, createMemo, on, onCleanup, onMount } from 'solid-js';
import { createStore, reconcile } from 'solid-js/store';
import { isAbort } from './http.ts';

type State<T> = { data?: T | undefined; error?: unknown; loading: boolean };

export type Load<T> = {
  readonly data: T | undefined;
  readonly error: unknown;
  /** True while the first fetch, or one for another source, is under way; a live refetch does not show. */
  readonly loading: boolean;
  refetch(): void;
};

/** By what they say: one that is made anew from data that has moved is no reason to ask again. */
const sameSource = (a: unknown, b: unknown) => a === b || JSON.stringify(a) === JSON.stringify(b);

/**
 * Fetches whenever `source` changes (null = not yet) and on `refetch`. Old data stays until the new has come, and rows
 * are matched by `key`, so only what really changed is touched on screen. Refetches that come while one is under way
 * become one more at its end.
 */
export function createLoad<S, T extends object>(
  source: () => S | null | undefined,
  load: (source: S, signal: AbortSignal) => Promise<T>,
  key = 'id',
): Load<T> {
  const [state, setState] = createStore<State<T>>({ loading: true });
  let current: S | null | undefined;
  let inFlight: AbortController | null = null;
  let again = false;

  const run = async () => {
    if (current === null || current === undefined) return;
    const controller = new AbortController();
    inFlight = controller;
    again = false;
    try {
      const data = await load(current, controller.signal);
      if (inFlight !== controller) return;
      // Solid's setter types cannot follow a generic T through reconcile.
      setState('data' as never, reconcile(data, { key }) as never);
      setState({ error: undefined });
    } catch (error) {
      if (inFlight !== controller || isAbort(error)) return;
      setState({ error });
    }
    inFlight = null;
    setState({ loading: false });
    if (again) void run();
  };

  createEffect(
    on(createMemo(source, undefined, { equals: sameSource }), (value) => {
      inFlight?.abort();
      inFlight = null;
      current = value;
      setState({ loading: true });
      void run();
    }),
  );
  onCleanup(() => inFlight?.abort());

  return {
    get data() {
      return state.data;
    },
    get error() {
      return state.error;
    },
    get loading() {
      return state.loading;
    },
    refetch: () => {
      if (inFlight) again = true;
      else void run();
    },
  };
}

/** Refetches every so often while the page is looked at: for what the live stream gives no hints of. */
export function usePoll(everyMs: number, refetch: () => void): void {
  onMount(() => {
    const timer = setInterval(() => document.hidden || refetch(), everyMs);
    onCleanup(() => clearInterval(timer));
  });
}
