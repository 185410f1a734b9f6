import type { JSX } from 'solid-js';

/** What can be done with the thing of one row; who does not see the row hears its name. */
export function RowAct(props: { name: string; onAct: () => void; children: JSX.Element }): JSX.Element {
  return (
    <button type="button" class="plain link small" onClick={() => props.onAct()}>
      {props.children}
      <span class="unseen"> {props.name}</span>
    </button>
  );
}
