import { type JSX, Show } from 'solid-js';
import { Glyph } from './state.tsx';

/** A column's head; one that can be sorted by is a button that turns the order round. A leading minus is descending. */
export function SortHead(props: {
  column: { head: string; class?: string; width?: string; sort?: string };
  sort: string;
  onSort: (sort: string) => void;
}): JSX.Element {
  const by = () => props.column.sort;
  const direction = () =>
    props.sort === by() ? 'ascending' : props.sort === `-${by()}` ? 'descending' : undefined;
  return (
    <th
      scope="col"
      class={props.column.class}
      style={props.column.width ? { '--width': props.column.width } : {}}
      aria-sort={by() ? (direction() ?? 'none') : undefined}
    >
      <Show when={by()} fallback={props.column.head}>
        {(name) => (
          <button
            type="button"
            class="plain sorter"
            onClick={() => props.onSort(direction() === 'ascending' ? `-${name()}` : name())}
          >
            {props.column.head}
            <Show when={direction()}>
              <Glyph path={direction() === 'ascending' ? 'M2.5 8 6 4.5 9.5 8' : 'M2.5 4.5 6 8 9.5 4.5'} />
            </Show>
          </button>
        )}
      </Show>
    </th>
  );
}
