import { createEffect, createSignal, type JSX, onCleanup } from 'solid-js';
import { failedStates } from '#webhook/deployments/states.ts';
import type { Deployment } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { sumOf } from '../../parts/state-tone.ts';

const quietMs = 5_000;

/** Tells a screen reader how far it is, when that has changed, but at most every few seconds. */
export function Announcement(props: { deployment: Deployment }): JSX.Element {
  const [said, setSaid] = createSignal('');
  let timer: ReturnType<typeof setTimeout> | undefined;
  let latest = '';
  createEffect(() => {
    const { counts, total } = props.deployment;
    latest = t('deployment.announce', { done: counts.succeeded, total, failed: sumOf(counts, failedStates) });
    timer ??= setTimeout(() => {
      timer = undefined;
      setSaid(latest);
    }, quietMs);
  });
  onCleanup(() => clearTimeout(timer));
  return (
    <p class="unseen" aria-live="polite" data-testid="announcement">
      {said()}
    </p>
  );
}
