import { createSignal, For, type JSX, onCleanup, onMount } from 'solid-js';

/** `wide` leaves phones and tablets, `mid` leaves phones; `num` is set to the end. */
export type Column<Row> = {
  head: string;
  cell: (row: Row) => JSX.Element;
  class?: string;
  width?: string;
};

/** The head of a table whose columns are described once; its caption is for who does not see the page's title. */
export function TableHead(props: {
  caption: string;
  columns: readonly { head: string; class?: string; width?: string }[];
}): JSX.Element {
  return (
    <>
      <caption class="unseen">{props.caption}</caption>
      <thead>
        <tr>
          <For each={props.columns}>
            {(column) => (
              <th
                scope="col"
                class={/\b(num|mid|wide)\b/.exec(column.class ?? '') ? column.class : undefined}
                style={column.width ? { width: column.width } : {}}
              >
                {column.head}
              </th>
            )}
          </For>
        </tr>
      </thead>
    </>
  );
}

/** Rows under described columns. `linked` makes the whole row the target of its `row-link`. */
export function DataTable<Row>(props: {
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  stale?: boolean;
  linked?: boolean;
}): JSX.Element {
  const [scrolls, setScrolls] = createSignal(false);
  let wrap!: HTMLDivElement;
  // What scrolls sideways must be reached by keyboard, and what does not is no stop.
  onMount(() => {
    const observer = new ResizeObserver(() => setScrolls(wrap.scrollWidth > wrap.clientWidth));
    for (const box of [wrap, wrap.firstElementChild!]) observer.observe(box);
    onCleanup(() => observer.disconnect());
  });
  return (
    <div
      class="table-wrap"
      ref={wrap}
      {...(scrolls() && { tabIndex: 0, role: 'region', 'aria-label': props.caption })}
    >
      <table classList={{ stale: props.stale }}>
        <TableHead caption={props.caption} columns={props.columns} />
        <tbody>
          <For each={props.rows}>
            {(row) => (
              <tr classList={{ row: props.linked }}>
                <For each={props.columns}>{(column) => <td class={column.class}>{column.cell(row)}</td>}</For>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}
