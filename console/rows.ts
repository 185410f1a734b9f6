import { batch, createEffect, createSignal, on, onCleanup } from 'solid-js';
import { createStore, reconcile, unwrap } from 'solid-js/store';
import type { Page } from './api.ts';
import { isAbort } from './http.ts';

const requestsAtOnce = 2;
/** Pages kept on each side of those on screen. */
const keptAround = 10;
const refetchEveryMs = 1_000;

/**
 * A long list of which only what is on screen is fetched, page by page; `want` says which rows that is. After a change of
 * `query` the old rows stay until the new ones have come. `refetch` renews what is on screen, at most once a second.
 */
export function createRows<Query extends object, Item extends object>(options: {
  query: () => Query;
  fetch: (query: Query & { limit: number; offset: number }, signal: AbortSignal) => Promise<Page<Item>>;
  pageSize: number;
  key?: string;
}) {
  const { pageSize, key = 'id' } = options;
  const [pages, setPages] = createStore<Record<number, Item[]>>({});
  const [total, setTotal] = createSignal<number>();
  const [more, setMore] = createSignal(false);
  const [error, setError] = createSignal<unknown>();
  const [stale, setStale] = createSignal(true);
  const underWay = new Map<number, AbortController>();
  let query!: Query;
  let wanted: number[] = [0];
  let due = new Set<number>([0]);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let refetchedAt = 0;

  const store = (page: number, found: Page<Item>) =>
    batch(() => {
      if (stale()) {
        setPages(reconcile({ [page]: found.items } as Record<number, Item[]>, { key }));
        setStale(false);
      } else {
        setPages(page, reconcile(found.items, { key, merge: false }));
      }
      setTotal(found.total);
      setMore(found.more ?? false);
      setError(undefined);
    });

  const fetchPage = async (page: number) => {
    const controller = new AbortController();
    underWay.set(page, controller);
    due.delete(page);
    try {
      const found = await options.fetch(
        { ...query, limit: pageSize, offset: page * pageSize },
        controller.signal,
      );
      if (underWay.get(page) === controller) store(page, found);
    } catch (cause) {
      if (!isAbort(cause) && underWay.get(page) === controller) setError(cause);
    } finally {
      if (underWay.get(page) === controller) underWay.delete(page);
      pump();
    }
  };

  const pump = () => {
    for (const page of wanted) {
      if (underWay.size >= requestsAtOnce) return;
      if (due.has(page) && !underWay.has(page)) void fetchPage(page);
    }
  };

  const abortAll = () => {
    for (const controller of underWay.values()) controller.abort();
    underWay.clear();
  };

  /** Rows `first` to `last` are on screen. */
  const want = (first: number, last: number) => {
    const from = Math.floor(first / pageSize);
    const to = Math.floor(last / pageSize);
    if (wanted[0] === from && wanted.at(-1) === to) return;
    wanted = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    for (const [page, controller] of underWay) {
      if (wanted.includes(page)) continue;
      controller.abort();
      underWay.delete(page);
    }
    const known = unwrap(pages);
    for (const page of wanted) if (!known[page]) due.add(page);
    const far = Object.keys(known).filter(
      (p) => Number(p) < from - keptAround || Number(p) > to + keptAround,
    );
    batch(() => {
      for (const page of far) setPages(Number(page), undefined!);
    });
    pump();
  };

  const renew = () => {
    timer = undefined;
    refetchedAt = Date.now();
    due = new Set(wanted);
    pump();
  };
  const refetch = () => {
    timer ??= setTimeout(renew, Math.max(0, refetchedAt + refetchEveryMs - Date.now()));
  };

  createEffect(
    on(options.query, (next) => {
      query = next;
      abortAll();
      setStale(true);
      wanted = [0];
      due = new Set([0]);
      pump();
    }),
  );
  onCleanup(() => {
    clearTimeout(timer);
    abortAll();
  });

  return {
    total,
    /** There are more than `total`; whoever scrolls on finds them. */
    more,
    error,
    /** The rows shown are of another query, or there are none yet. */
    stale,
    row: (index: number): Item | undefined => pages[Math.floor(index / pageSize)]?.[index % pageSize],
    want,
    refetch,
  };
}
