import { type JSX, Show } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import type { Filters, List } from '../list.ts';
import { type Column, DataTable } from './data-table.tsx';
import { Paged } from './loaded.tsx';
import { Empty } from './notes.tsx';
import { Head } from './page.tsx';
import { SearchField } from './search-field.tsx';

/** Search boxes and drop-downs of a list, and the way back to all. */
export function FilterBar(props: {
  list: { clear: () => unknown; narrowed: () => boolean };
  children: JSX.Element;
}): JSX.Element {
  return (
    <search class="tools" aria-label={t('common.filters')}>
      {props.children}
      <Show when={props.list.narrowed()}>
        <button type="button" class="plain link" onClick={() => props.list.clear()}>
          {t('common.clear')}
        </button>
      </Show>
    </search>
  );
}

/** The search box of a list, its drop-downs and the way back to all. */
export function Tools(props: {
  list: Pick<Filters<'search'>, 'value' | 'set'> & { clear: () => unknown; narrowed: () => boolean };
  searchLabel: string;
  children?: JSX.Element;
}): JSX.Element {
  return (
    <FilterBar list={props.list}>
      <SearchField
        main
        label={props.searchLabel}
        value={props.list.value('search')}
        onSearch={(search) => props.list.set({ search })}
      />
      {props.children}
    </FilterBar>
  );
}

/** A page of a list, and the way to the others. */
export function ListTable<Item extends object, Name extends string>(props: {
  caption: string;
  list: List<Item, Name>;
  columns: readonly Column<Item>[];
  /** As in DataTable. */
  linked?: boolean;
  empty: JSX.Element;
}): JSX.Element {
  return (
    <Paged
      load={props.list.load}
      page={props.list.page()}
      pageSize={props.list.pageSize}
      onPage={props.list.goTo}
      empty={props.empty}
    >
      {(items) => (
        <DataTable
          linked={props.linked}
          caption={props.caption}
          columns={props.columns}
          rows={items()}
          stale={props.list.load.loading}
        />
      )}
    </Paged>
  );
}

/** A page that is a list: head, search and filters, table, pager; and what to say when there is nothing. */
export function ListPage<Item extends object, Name extends string>(props: {
  title: string;
  actions?: JSX.Element;
  /** Under the heading. */
  before?: JSX.Element;
  list: List<Item, Name>;
  /** With it the list must have a filter named `search`. */
  searchLabel?: string;
  filters?: JSX.Element;
  columns: readonly Column<Item>[];
  empty: JSX.Element;
  noMatch?: string;
}): JSX.Element {
  return (
    <>
      <Head title={props.title} actions={props.actions} />
      {props.before}
      <Show when={props.searchLabel}>
        {(label) => (
          <Tools list={props.list as unknown as List<Item, 'search'>} searchLabel={label()}>
            {props.filters}
          </Tools>
        )}
      </Show>
      <ListTable
        linked
        caption={props.title}
        list={props.list}
        columns={props.columns}
        empty={
          <Show when={props.list.narrowed()} fallback={props.empty}>
            <Empty title={props.noMatch ?? t('common.noMatch')} lead={t('devices.noMatchLead')} />
          </Show>
        }
      />
    </>
  );
}
