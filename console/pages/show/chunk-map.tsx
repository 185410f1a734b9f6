import { For, type JSX, Show } from 'solid-js';
import type { Cell } from './wire.ts';

const pitch = 10;
const wide = 8.5;
const high = 20;

/** No two kinds of cell have the same shape. Boxes of [top, height] within a cell; a hollow one has its middle taken out. */
const shapes: Record<Cell, { name: string; boxes: [number, number][]; hollow?: boolean }> = {
  '.': { name: 'idle', boxes: [[8, 4]] },
  a: { name: 'asked', boxes: [[4, 12]], hollow: true },
  '+': { name: 'here', boxes: [[0, high]] },
  r: {
    name: 'again',
    boxes: [
      [0, 8.5],
      [11.5, 8.5],
    ],
  },
  x: { name: 'lost', boxes: [[0, high]], hollow: true },
};
const kinds = Object.keys(shapes) as Cell[];

function box(x: number, top: number, height: number, hollow: boolean): string {
  const outer = `M${x} ${top}h${wide}v${height}h${-wide}z`;
  // Drawn the other way round, so that the fill rule takes it out.
  return hollow ? `${outer}M${x + 2} ${top + 2.5}v${height - 5}h${wide - 4}v${5 - height}z` : outer;
}

export function pathOf(cells: string, kind: Cell): string {
  const { boxes, hollow = false } = shapes[kind];
  let path = '';
  for (let i = 0; i < cells.length; i++) {
    if (cells[i] === kind) for (const [top, height] of boxes) path += box(i * pitch, top, height, hollow);
  }
  return path;
}

/** One image, cell by cell, from its first byte to its last; the line below it says that its digest is right. */
export function ChunkMap(props: {
  cells: string;
  verified: boolean;
  undone: boolean;
  label: string;
}): JSX.Element {
  return (
    <svg
      class="chunk-map"
      classList={{ undone: props.undone }}
      viewBox={`0 0 ${props.cells.length * pitch} ${high + 6}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={props.label}
    >
      <For each={kinds}>{(kind) => <path class={shapes[kind].name} d={pathOf(props.cells, kind)} />}</For>
      <Show when={props.verified}>
        <path class="verified" d={`M0 ${high + 3}h${props.cells.length * pitch}v3H0z`} />
      </Show>
    </svg>
  );
}

/** One cell on its own, for the legend. */
export function CellSample(props: { kind: Cell }): JSX.Element {
  return (
    <svg class="cell-sample" viewBox={`0 0 ${wide} ${high}`} preserveAspectRatio="none" aria-hidden="true">
      <path class={shapes[props.kind].name} d={pathOf(props.kind, props.kind)} />
    </svg>
  );
}
