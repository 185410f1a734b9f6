import { useSearchParams } from '@solidjs/router';
import type { Page } from './api.ts';
import { type ChangedKind, useLive } from './live.ts';
import { createLoad, type Load } from './load.ts';
import { pageOf, textOf } from './parts/params.ts';

/** What the address says: the page, and the values of the named filters. Changing a filter goes to the first page. */
export function createFilters<Name extends string>(names: readonly Name[]) {
  const [params, setParams] = useSearchParams();
  const value = (name: Name): string => textOf(params[name]);
  const set = (change: Partial<Record<Name, string>>) =>
    // While somebody types, each stop would be a step of the way back.
    setParams({ ...change, page: undefined }, { replace: 'search' in change });
  return {
    value,
    values: () => Object.fromEntries(names.map((name) => [name, value(name)])) as Record<Name, string>,
    set,
    clear: () => set(Object.fromEntries(names.map((name) => [name, ''])) as Record<Name, string>),
    narrowed: () => names.some((name) => value(name) !== ''),
    page: () => pageOf(params.page),
    goTo: (page: number) => setParams({ page }),
  };
}
export type Filters<Name extends string = string> = ReturnType<typeof createFilters<Name>>;

export type List<Item, Name extends string, Answer extends Page<Item> = Page<Item>> = Filters<Name> & {
  pageSize: number;
  load: Load<Answer>;
};

/** A list that is paged and filtered on the server, whose page and filters are in the address. */
export function createList<
  Item extends object,
  Name extends string,
  Answer extends Page<Item> = Page<Item>,
>(options: {
  filters: readonly Name[];
  fetch: (
    query: Record<Name, string> & { limit: number; offset: number },
    signal: AbortSignal,
  ) => Promise<Answer>;
  pageSize?: number;
  live?: ChangedKind;
  key?: string;
}): List<Item, Name, Answer> {
  const filters = createFilters(options.filters);
  const pageSize = options.pageSize ?? 50;
  const load = createLoad(
    () => ({ ...filters.values(), limit: pageSize, offset: (filters.page() - 1) * pageSize }),
    options.fetch,
    options.key,
  );
  if (options.live) useLive(options.live, undefined, load.refetch);
  return { ...filters, pageSize, load };
}
