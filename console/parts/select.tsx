import { For, type JSX, Show } from 'solid-js';

export type Option = { value: string; label: string };

/** A drop-down. `all` is the entry for no choice; a value that is not among the options (yet) is offered as itself. */
export function Select(props: {
  label: string;
  options: readonly Option[];
  value: string;
  all?: string;
  name?: string;
  id?: string;
  onChange?: (value: string) => void;
}): JSX.Element {
  const missing = () => props.value !== '' && !props.options.some((one) => one.value === props.value);
  return (
    <select
      class="input"
      id={props.id}
      name={props.name}
      aria-label={props.id ? undefined : props.label}
      onChange={(event) => props.onChange?.(event.currentTarget.value)}
    >
      <Show when={props.all !== undefined}>
        <option value="" selected={props.value === ''}>
          {props.all}
        </option>
      </Show>
      <Show when={missing()}>
        <option value={props.value} selected>
          {props.value}
        </option>
      </Show>
      <For each={props.options}>
        {(option) => (
          <option value={option.value} selected={option.value === props.value}>
            {option.label}
          </option>
        )}
      </For>
    </select>
  );
}
