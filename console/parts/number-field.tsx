import { createUniqueId, type JSX, Show } from 'solid-js';

/** A short field for a number, with its unit after it. A `bare` one says its label to screen readers only. */
export function NumberField(props: {
  label: string;
  value: string;
  unit?: string;
  hint?: string;
  wrong: string | null;
  bare?: boolean;
  onInput: (value: string) => void;
}): JSX.Element {
  const id = createUniqueId();
  return (
    <div class="field number">
      <label for={id} classList={{ unseen: props.bare }}>
        {props.label}
      </label>
      <span class="with-unit">
        <input
          id={id}
          class="input num"
          type="text"
          inputMode="decimal"
          autocomplete="off"
          maxLength={10}
          value={props.value}
          aria-invalid={props.wrong ? 'true' : undefined}
          aria-describedby={`${id}-hint`}
          onInput={(event) => props.onInput(event.currentTarget.value.trim())}
        />
        <Show when={props.unit}>
          <span class="soft">{props.unit}</span>
        </Show>
      </span>
      <Show when={props.wrong ?? props.hint}>
        {(text) => (
          <p id={`${id}-hint`} class={props.wrong ? 'wrong' : 'hint'}>
            {text()}
          </p>
        )}
      </Show>
    </div>
  );
}
