import { type JSX, Show } from 'solid-js';
import { Chevron } from './state.tsx';

/** A part of a long form that folds up to its title and a word on what it holds. */
export function Picker(props: {
  title: string;
  note?: string | undefined;
  open?: boolean;
  children: JSX.Element;
  testId: string;
}): JSX.Element {
  return (
    <details class="picker" open={props.open} data-testid={props.testId}>
      <summary>
        <Chevron />
        {props.title}
        <Show when={props.note}>
          <span class="count">{props.note}</span>
        </Show>
      </summary>
      <div class="inside">{props.children}</div>
    </details>
  );
}
