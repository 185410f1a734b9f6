import { createSignal, For, type JSX } from 'solid-js';
import { api, type FirstSteps } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad, usePoll } from '../../load.ts';
import { glyphs } from '../../parts/glyphs.ts';
import { Sign } from '../../parts/state.tsx';

const names = [
  'certificate',
  'connected',
  'subscribed',
  'message',
  'update',
] as const satisfies (keyof FirstSteps)[];
/** Of a message there is no hint. */
const pollMs = 1_500;

/** What the device has done, ticked as it happens. A step once seen stays ticked. */
export function Steps(props: { device: string }): JSX.Element {
  const [seen, setSeen] = createSignal<ReadonlySet<string>>(new Set());
  const load = createLoad(
    () => props.device,
    async (id, signal) => {
      const steps = await api.getFirstSteps(id, signal);
      setSeen((before) => new Set([...before, ...names.filter((name) => steps[name])]));
      return steps;
    },
  );
  useLive('device', () => props.device, load.refetch);
  usePoll(pollMs, load.refetch);
  return (
    <ol class="steps" aria-label={t('connect.steps')} aria-live="polite">
      <For each={names}>
        {(name) => (
          <li data-testid={`step-${name}`} data-done={seen().has(name)}>
            <Sign
              tone={seen().has(name) ? 'good' : 'waiting'}
              glyph={seen().has(name) ? glyphs.check : glyphs.dots}
            >
              {t(`connect.step.${name}`)}
              <span class="unseen"> {t(seen().has(name) ? 'connect.done' : 'connect.waiting')}</span>
            </Sign>
          </li>
        )}
      </For>
    </ol>
  );
}
