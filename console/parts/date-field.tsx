import { createUniqueId, type JSX } from 'solid-js';

/** A labelled day, as the browser lets one choose it. */
export function DateField(props: { name: string; label: string; value: string }): JSX.Element {
  const id = createUniqueId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input id={id} name={props.name} type="date" class="input" value={props.value} required />
    </div>
  );
}
