import { createUniqueId, type JSX } from 'solid-js';

/** A password, new unless it says otherwise; a new one is as long as the server asks for. */
export function PasswordField(props: {
  label: string;
  name?: string;
  present?: boolean;
  hint?: string;
  required?: boolean;
}): JSX.Element {
  const id = createUniqueId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        name={props.name ?? 'password'}
        class="input"
        type="password"
        autocomplete={props.present ? 'current-password' : 'new-password'}
        minLength={props.present ? 1 : 8}
        maxLength={1024}
        required={props.required}
        aria-describedby={`${id}-hint`}
      />
      <p class="hint" id={`${id}-hint`}>
        {props.hint}
      </p>
    </div>
  );
}
