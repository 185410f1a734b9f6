import { For, type JSX, Show } from 'solid-js';
import type { Deployment } from '../../api.ts';
import { formatDuration, formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { Sign, StateBar } from '../../parts/state.tsx';
import { nowMs } from '../../parts/time.tsx';
import { countsOfWave, shownState, waveLooks } from './wave-states.ts';

type WaveOf = Deployment['waves'][number];

/** What the wave waits for, or what it must keep to: its gate in words. */
function Gate(props: { wave: WaveOf; last: boolean }): JSX.Element {
  const soaking = () => props.wave.state === 'soaking' && props.wave.soakUntil;
  return (
    <Show
      when={soaking()}
      fallback={
        <>
          <Show when={!props.last}>
            {t('wave.needs', { share: props.wave.successPercent })}
            <Show when={props.wave.soakMs > 0}>
              {` · ${t('wave.soak', { duration: formatDuration(language(), props.wave.soakMs) })}`}
            </Show>
            {' · '}
          </Show>
          {t('wave.halts', { share: props.wave.failurePercent })}
        </>
      }
    >
      {(until) => t('wave.soakingLeft', { duration: formatDuration(language(), leftMs(until())) })}
    </Show>
  );
}

const leftMs = (until: string) => Math.max(0, Date.parse(until) - nowMs());

function Wave(props: {
  wave: WaveOf;
  deployment: Deployment['state'];
  index: number;
  last: boolean;
}): JSX.Element {
  const state = () => shownState(props.wave, props.deployment);
  const look = () => waveLooks[state()];
  const bad = () => props.wave.failed + props.wave.timedOut;
  return (
    <li class="wave-line" data-testid="wave-line" data-wave-state={state()}>
      <span class="wave-name">
        {props.wave.control ? t('health.controlGroup') : t('plan.wave', { n: props.index + 1 })}
        <Sign tone={look().tone} glyph={look().glyph} filled={look().filled}>
          {t(`wave.${state()}`)}
        </Sign>
      </span>
      <StateBar
        counts={countsOfWave(props.wave)}
        label={t('wave.label', {
          n: props.index + 1,
          succeeded: props.wave.succeeded,
          total: props.wave.total,
          failed: bad(),
        })}
      />
      <span class="wave-count">
        {formatNumber(language(), props.wave.succeeded)}
        <span class="soft"> / {formatNumber(language(), props.wave.total)}</span>
      </span>
      <span class="wave-gate soft small">
        <Gate wave={props.wave} last={props.last} />
      </span>
    </li>
  );
}

/** One bar a wave, with what opens the next one. */
export function Waves(props: { deployment: Deployment }): JSX.Element {
  const waves = () => props.deployment.waves;
  return (
    <ol class="waves" aria-label={t('plan.waves')}>
      <For each={waves()}>
        {(wave, i) => (
          <Wave
            wave={wave}
            deployment={props.deployment.state}
            index={i()}
            last={i() === waves().length - 1}
          />
        )}
      </For>
    </ol>
  );
}
