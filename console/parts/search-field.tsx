import { createEffect, type JSX, on, onCleanup, onMount } from 'solid-js';

const settleMs = 150;

/** A search box that reports after typing has settled. `/` jumps to the one marked `main`. */
export function SearchField(props: {
  label: string;
  value: string;
  onSearch: (text: string) => void;
  main?: boolean;
}): JSX.Element {
  let field!: HTMLInputElement;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reported = props.value;

  const report = () => {
    clearTimeout(timer);
    timer = undefined;
    if (field.value === reported) return;
    reported = field.value;
    props.onSearch(field.value.trim());
  };

  // The address may change under us (back, clear); what is being typed right now wins over it.
  createEffect(
    on(
      () => props.value,
      (value) => {
        if (timer || value === field.value.trim()) return;
        field.value = value;
        reported = value;
      },
      { defer: true },
    ),
  );

  const jump = (event: KeyboardEvent) => {
    const at = event.target as HTMLElement;
    if (event.key !== '/' || event.ctrlKey || event.metaKey || at.closest('input, textarea, select, dialog'))
      return;
    event.preventDefault();
    field.focus();
    field.select();
  };
  onMount(() => {
    if (props.main) document.addEventListener('keydown', jump);
  });
  onCleanup(() => {
    clearTimeout(timer);
    document.removeEventListener('keydown', jump);
  });

  return (
    <div class="search">
      <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
        <path
          d="M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M9.3 9.3 13 13"
          fill="none"
          stroke="currentColor"
          stroke-width="1.5"
        />
      </svg>
      <input
        ref={field}
        class="input"
        type="search"
        autocomplete="off"
        spellcheck={false}
        maxLength={100}
        aria-label={props.label}
        placeholder={props.label}
        value={props.value}
        onInput={() => {
          clearTimeout(timer);
          timer = setTimeout(report, settleMs);
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter') return;
          event.preventDefault();
          report();
        }}
      />
    </div>
  );
}
