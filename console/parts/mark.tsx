import type { JSX } from 'solid-js';

/** Flota's sign: something lifted off its base. */
export function Mark(): JSX.Element {
  return (
    <>
      <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
        <path d="M8 1 14 7H10V11H6V7H2zM2 13H14V15H2z" fill="currentColor" />
      </svg>
      Flota
    </>
  );
}
