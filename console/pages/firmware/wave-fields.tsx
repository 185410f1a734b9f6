import { Index, type JSX, Show } from 'solid-js';
import { t } from '../../i18n/i18n.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { Select } from '../../parts/select.tsx';
import type { WaveDraft } from './plan.ts';
import type { PlanState } from './plan-fields.tsx';

const maxWaves = 20;

function Wave(props: { state: PlanState; index: number; wave: WaveDraft }): JSX.Element {
  const last = () => props.index === props.state.plan.waves.length - 1;
  const wrong = (name: string) => {
    const problem = props.state.problems()[`${name}${props.index}`];
    return problem ? t(`plan.problem.${problem}`) : null;
  };
  const set = (change: Partial<WaveDraft>) => props.state.setPlan('waves', props.index, change);
  const n = () => props.index + 1;
  return (
    <li class="wave-row" data-testid="wave">
      <span class="soft">{t('plan.wave', { n: n() })}</span>
      <Show when={!last()} fallback={<span class="rest">{t('plan.rest')}</span>}>
        <span class="reach">
          <NumberField
            bare
            label={t('plan.waveSize', { n: n() })}
            value={props.wave.size}
            wrong={wrong('wave')}
            onInput={(size) => set({ size })}
          />
          <Select
            label={t('plan.waveUnit', { n: n() })}
            options={[
              { value: 'count', label: t('plan.unit.count') },
              { value: 'percent', label: t('plan.unit.percent') },
            ]}
            value={props.wave.unit}
            onChange={(unit) => set({ unit: unit as WaveDraft['unit'] })}
          />
        </span>
        <NumberField
          bare
          label={t('plan.soak', { n: n() })}
          unit={t('plan.soakUnit')}
          value={props.wave.soakMinutes}
          wrong={wrong('soak')}
          onInput={(soakMinutes) => set({ soakMinutes })}
        />
        <button
          type="button"
          class="plain cross"
          aria-label={t('plan.removeWave', { n: n() })}
          onClick={() => props.state.setPlan('waves', (waves) => waves.filter((_, i) => i !== props.index))}
        >
          <span aria-hidden="true">×</span>
        </button>
      </Show>
    </li>
  );
}

/** One line a wave: how far it reaches, and how long its successes must stand before the next. The last is all the others. */
export function WaveFields(props: { state: PlanState }): JSX.Element {
  const add = () =>
    props.state.setPlan('waves', (waves) => [
      ...waves.slice(0, -1),
      { size: '', unit: 'percent', soakMinutes: '10' },
      waves.at(-1)!,
    ]);
  return (
    <>
      <ol class="wave-rows">
        <Index each={props.state.plan.waves}>
          {(wave, index) => <Wave state={props.state} index={index} wave={wave()} />}
        </Index>
      </ol>
      <Show when={props.state.plan.waves.length < maxWaves}>
        <button type="button" class="plain link" onClick={add}>
          {t('plan.addWave')}
        </button>
      </Show>
      <p class="hint">{t('plan.wavesHint')}</p>
    </>
  );
}
