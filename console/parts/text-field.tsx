import { createUniqueId, type JSX, Show } from 'solid-js';

/** A labelled text field with a hint and, when it is wrong, why. */
export function TextField(props: {
  label: string;
  name: string;
  hint?: string;
  wrong?: string | null | undefined;
  value?: string;
  required?: boolean;
  maxLength?: number;
  list?: string;
  inputMode?: 'numeric' | 'text';
  rows?: number;
  onInput?: (value: string) => void;
}): JSX.Element {
  const id = createUniqueId();
  const shared = () => ({
    id,
    name: props.name,
    class: 'input',
    required: props.required,
    maxLength: props.maxLength,
    'aria-invalid': props.wrong ? ('true' as const) : undefined,
    'aria-describedby': `${id}-hint`,
    onInput: (event: InputEvent & { currentTarget: HTMLInputElement | HTMLTextAreaElement }) =>
      props.onInput?.(event.currentTarget.value),
  });
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <Show
        when={props.rows}
        fallback={
          <input
            {...shared()}
            type="text"
            value={props.value ?? ''}
            list={props.list}
            inputMode={props.inputMode ?? 'text'}
            autocomplete="off"
            spellcheck={false}
          />
        }
      >
        <textarea {...shared()} rows={props.rows} />
      </Show>
      <p class={props.wrong ? 'wrong' : 'hint'} id={`${id}-hint`}>
        {props.wrong ?? props.hint}
      </p>
    </div>
  );
}
