import { createWindowVirtualizer } from '@tanstack/solid-virtual';
import { createEffect, createSignal, For, type JSX, onMount, Show } from 'solid-js';
import type { createRows } from '../rows.ts';
import type { Column } from './data-table.tsx';
import { SortHead } from './sort-head.tsx';

/** A column that can be sorted by names what it is sorted by. */
export type LongColumn<Row> = Column<Row> & { sort?: string };

/** As `table.long tr.row` has it: a finger wants more than a mouse. */
const rowPx = matchMedia('(pointer: coarse)').matches ? 48 : 40;

/** A table of any length, scrolled with the window: only the rows on screen are made, and fetched. All are equally high. */
export function LongTable<Row extends object>(props: {
  caption: string;
  columns: readonly LongColumn<Row>[];
  rows: Pick<ReturnType<typeof createRows<object, Row>>, 'row' | 'total' | 'want' | 'stale'>;
  sort: string;
  onSort: (sort: string) => void;
}): JSX.Element {
  let body!: HTMLTableSectionElement;
  const [top, setTop] = createSignal(0);
  const count = () => props.rows.total() ?? 0;
  const virtualizer = createWindowVirtualizer({
    get count() {
      return count();
    },
    get scrollMargin() {
      return top();
    },
    estimateSize: () => rowPx,
    overscan: 12,
  });
  onMount(() => setTop(body.getBoundingClientRect().top + window.scrollY));

  const items = virtualizer.getVirtualItems;
  const before = () => (items()[0]?.start ?? top()) - top();
  const after = () => virtualizer.getTotalSize() - ((items().at(-1)?.end ?? top()) - top());
  createEffect(() => {
    const shown = items();
    if (!props.rows.stale() && shown.length > 0) props.rows.want(shown[0]!.index, shown.at(-1)!.index);
  });

  return (
    <div class="table-wrap long-wrap">
      <table class="long" classList={{ stale: props.rows.stale() }} aria-rowcount={count() + 1}>
        <caption class="unseen">{props.caption}</caption>
        <thead>
          <tr>
            <For each={props.columns}>
              {(column) => <SortHead column={column} sort={props.sort} onSort={props.onSort} />}
            </For>
          </tr>
        </thead>
        <tbody ref={body}>
          <tr class="space" style={{ height: `${before()}px` }} />
          <For each={items()}>
            {(item) => (
              <tr class="row" aria-rowindex={item.index + 2}>
                <Show when={props.rows.row(item.index)} keyed fallback={<Waiting columns={props.columns} />}>
                  {(row) => (
                    <For each={props.columns}>
                      {(column) => <td class={column.class}>{column.cell(row)}</td>}
                    </For>
                  )}
                </Show>
              </tr>
            )}
          </For>
          <tr class="space" style={{ height: `${after()}px` }} />
        </tbody>
      </table>
    </div>
  );
}

/** A row that is still being fetched. */
function Waiting(props: { columns: readonly { class?: string }[] }): JSX.Element {
  return (
    <For each={props.columns}>
      {(column) => (
        <td class={column.class}>
          <span class="ghost" />
        </td>
      )}
    </For>
  );
}
