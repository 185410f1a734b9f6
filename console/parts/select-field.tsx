import { createUniqueId, type JSX } from 'solid-js';
import { type Option, Select } from './select.tsx';

/** A drop-down of a form, under its label. */
export function SelectField(props: {
  label: string;
  name: string;
  options: readonly Option[];
  value: string;
  all?: string;
  onChange?: (value: string) => void;
}): JSX.Element {
  const id = createUniqueId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <Select {...props} id={id} />
    </div>
  );
}
