import { For, type JSX, Show } from 'solid-js';
import { formatAxis } from '../format.ts';
import { language } from '../i18n/i18n.ts';

/** The plane on which everything is drawn, stretched to the width that there is. */
export const plane = { width: 1000, height: 100 };
const parts = [0, 0.25, 0.5, 0.75, 1];

export type Key = { tint: string; word: string };

/** A picture over time: the whole range that was asked for, from zero to `most`. Children draw on the plane. */
export function TimePlot(props: {
  title: string;
  /** What it shows, in words. */
  label: string;
  fromMs: number;
  toMs: number;
  /** What the middle and the top of the plane stand for. */
  most: number;
  format: (value: number) => string;
  keys?: Key[];
  testid?: string;
  children: JSX.Element;
}): JSX.Element {
  const at = (part: number) => props.fromMs + part * (props.toMs - props.fromMs);
  return (
    <figure class="time-plot" data-testid={props.testid}>
      <figcaption>{props.title}</figcaption>
      <div class="plane">
        <For each={[1, 0.5, 0]}>
          {(part) => (
            <span class="y-tick" style={{ top: `${100 * (1 - part)}%` }}>
              {props.format(part * props.most)}
            </span>
          )}
        </For>
        <svg
          viewBox={`0 0 ${plane.width} ${plane.height}`}
          preserveAspectRatio="none"
          role="img"
          aria-label={props.label}
        >
          {props.children}
          <path class="grid" d={`M0 0H${plane.width}M0 50H${plane.width}M0 100H${plane.width}`} />
        </svg>
        <For each={parts}>
          {(part) => (
            <span class="x-tick" classList={{ minor: part % 0.5 !== 0 }} style={{ '--part': part }}>
              {formatAxis(language(), at(part), props.toMs - props.fromMs)}
            </span>
          )}
        </For>
      </div>
      <Show when={props.keys?.length}>
        <ul class="plot-keys">
          <For each={props.keys}>
            {(key) => (
              <li>
                <i style={{ background: `var(${key.tint})` }} />
                {key.word}
              </li>
            )}
          </For>
        </ul>
      </Show>
    </figure>
  );
}

/** Where a time is on the plane. */
export const xOn =
  (fromMs: number, toMs: number) =>
  (atMs: number): number =>
    Math.round(((atMs - fromMs) / Math.max(1, toMs - fromMs)) * plane.width * 10) / 10;

export const yOn = (share: number): number => plane.height * (1 - share);
