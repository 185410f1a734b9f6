import { A } from '@solidjs/router';
import { type JSX, Show } from 'solid-js';
import { may, reachesAll } from '../session.ts';

/** Words about a user or token; for who may read the audit log, the way to what that one did. */
export function Who(props: { name: string; children: JSX.Element }): JSX.Element {
  return (
    <Show when={may('admin') && reachesAll()} fallback={props.children}>
      <A href={`/system/audit?actor=${encodeURIComponent(props.name)}`}>{props.children}</A>
    </Show>
  );
}
