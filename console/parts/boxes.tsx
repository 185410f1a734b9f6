import { For, type JSX } from 'solid-js';

/** Boxes to tick, of one name. */
export function Boxes(props: {
  legend: string;
  name: string;
  options: readonly { value: string; label: string }[];
  chosen: readonly string[];
}): JSX.Element {
  return (
    <fieldset class="field">
      <legend>{props.legend}</legend>
      <ul class="choices">
        <For each={props.options}>
          {(one) => (
            <li>
              <label>
                <input
                  type="checkbox"
                  name={props.name}
                  value={one.value}
                  checked={props.chosen.includes(one.value)}
                />
                <span>{one.label}</span>
              </label>
            </li>
          )}
        </For>
      </ul>
    </fieldset>
  );
}
