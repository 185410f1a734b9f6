import { For, type JSX, splitProps } from 'solid-js';
import type { DeploymentState, TargetState } from '../api.ts';
import { formatNumber } from '../format.ts';
import { language, tMaybe } from '../i18n/i18n.ts';
import { barOrder, lookOf, type Tone } from './state-tone.ts';

export function Glyph(props: { path: string; filled?: boolean | undefined }): JSX.Element {
  return (
    <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
      <path
        d={props.path}
        fill={props.filled ? 'currentColor' : 'none'}
        stroke="currentColor"
        stroke-width="1.5"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}

type SignProps = {
  tone: Tone;
  glyph: string;
  filled?: boolean | undefined;
} & JSX.HTMLAttributes<HTMLSpanElement>;

/** A word with a shape and a colour that say the same. */
export function Sign(props: SignProps): JSX.Element {
  const [own, rest] = splitProps(props, ['tone', 'glyph', 'filled', 'children']);
  return (
    <span class={`state tone-${own.tone}`} {...rest}>
      <Glyph path={own.glyph} filled={own.filled} />
      <span class="word">{own.children}</span>
    </span>
  );
}

/** Points right when closed and down when what holds it is open. */
export function Chevron(): JSX.Element {
  return (
    <span class="chevron">
      <Glyph path="M4 1.5 8.5 6 4 10.5" />
    </span>
  );
}

export const stateWord = (state: TargetState | DeploymentState): string =>
  tMaybe(`state.${state}`) ?? tMaybe(`deployment.${state}`) ?? state;

export function StateMark(props: { state: TargetState | DeploymentState }): JSX.Element {
  return (
    <Sign
      tone={lookOf(props.state).tone}
      glyph={lookOf(props.state).glyph}
      filled={lookOf(props.state).filled}
      data-state={props.state}
    >
      {stateWord(props.state)}
    </Sign>
  );
}

type Counts = Record<TargetState, number>;

/** One bar of all targets by state. Its label says in words what it shows. */
export function StateBar(props: { counts: Counts; label: string; thin?: boolean }): JSX.Element {
  const present = () => barOrder.filter((state) => props.counts[state] > 0);
  return (
    <div class="bar" classList={{ thin: props.thin }} role="img" aria-label={props.label}>
      <For each={present()}>
        {(state) => (
          <span
            classList={{ hatched: lookOf(state).tone === 'bad' }}
            style={{ '--share': props.counts[state], '--tint': `var(${lookOf(state).tint})` }}
            title={`${stateWord(state)} ${formatNumber(language(), props.counts[state])}`}
          />
        )}
      </For>
    </div>
  );
}

export const countsInWords = (counts: Counts): string =>
  barOrder
    .filter((state) => counts[state] > 0)
    .map((state) => `${stateWord(state)} ${formatNumber(language(), counts[state])}`)
    .join(', ');
