import { For, type JSX } from 'solid-js';
import type { TargetState } from '../../api.ts';
import { formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { StateMark } from '../../parts/state.tsx';
import { barOrder, lookOf } from '../../parts/state-tone.ts';

/** The legend of the bar, which is also the filter of the rows below it. */
export function StateFilter(props: {
  counts: Record<TargetState, number>;
  total: number;
  state: string;
  onState: (state: string | undefined) => void;
}): JSX.Element {
  const present = () => barOrder.filter((state) => props.counts[state] > 0 || state === props.state);
  return (
    <fieldset class="legend" aria-label={t('deployment.filter')}>
      <button type="button" aria-pressed={props.state === ''} onClick={() => props.onState(undefined)}>
        {t('deployment.all')} <strong>{formatNumber(language(), props.total)}</strong>
      </button>
      <For each={present()}>
        {(state) => (
          <button
            type="button"
            aria-pressed={props.state === state}
            onClick={() => props.onState(props.state === state ? undefined : state)}
          >
            <span class="swatch" style={{ '--tint': `var(${lookOf(state).tint})` }} />
            <StateMark state={state} /> <strong>{formatNumber(language(), props.counts[state])}</strong>
          </button>
        )}
      </For>
    </fieldset>
  );
}
