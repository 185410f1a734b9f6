import { For, type JSX, Show } from 'solid-js';
import { createStore } from 'solid-js/store';
import { t } from '../../i18n/i18n.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { Picker } from '../../parts/picker.tsx';
import { useRoving } from '../../parts/roving.ts';
import { windowInWords } from '../../parts/window-words.ts';
import { HealthFields } from './health-fields.tsx';
import {
  checkPlan,
  deadlineActions,
  defaultPlan,
  type Plan,
  type Preset,
  presetOf,
  presets,
  type WaveDraft,
  wavesOf,
  windowOf,
} from './plan.ts';
import { WaveFields } from './wave-fields.tsx';
import { WindowFields } from './window-fields.tsx';

/** The plan that is being typed, and what is wrong with it. */
export function createPlan() {
  const [plan, setPlan] = createStore<Plan>(defaultPlan());
  /** With one wave for all, silence is as likely an outage of ours: it then halts only when asked to. */
  const choose = (preset: Preset) => {
    const [own, other] = preset === 'all' ? ['100', '20'] : ['20', '100'];
    if (plan.silencePercent === other) setPlan('silencePercent', own);
    setPlan('waves', wavesOf(preset));
  };
  return { plan, setPlan, choose, problems: () => checkPlan(plan, Date.now()) };
}
export type PlanState = ReturnType<typeof createPlan>;

const thresholds = ['successPercent', 'failurePercent', 'silencePercent'] as const;
const retries = ['maxAttempts', 'retryDelaySeconds', 'downloadTimeoutMinutes'] as const;
const limits = ['lateJoinersDays', 'gateTimeoutHours', 'deferralHours'] as const;
const units = {
  successPercent: () => '%',
  failurePercent: () => '%',
  silencePercent: () => '%',
  maxAttempts: () => '',
  retryDelaySeconds: () => t('unit.s'),
  downloadTimeoutMinutes: () => t('unit.min'),
  lateJoinersDays: () => t('unit.d'),
  gateTimeoutHours: () => t('unit.h'),
  deferralHours: () => t('unit.h'),
} as const;

function Numbers(props: {
  state: PlanState;
  names: readonly (keyof typeof units)[];
  children?: JSX.Element;
}): JSX.Element {
  const problem = (name: string) => props.state.problems()[name];
  return (
    <div class="numbers">
      <For each={props.names}>
        {(name) => (
          <NumberField
            label={t(`plan.${name}`)}
            hint={t(`plan.${name}Hint`)}
            unit={units[name]()}
            value={props.state.plan[name]}
            wrong={problem(name) ? t(`plan.problem.${problem(name)!}`) : null}
            onInput={(value) => props.state.setPlan(name, value)}
          />
        )}
      </For>
      {props.children}
    </div>
  );
}

/** What a device does when its application still puts the update off. */
function AtDeadline(props: { state: PlanState }): JSX.Element {
  return (
    <div class="field">
      <span class="label">{t('plan.atDeadline')}</span>
      <fieldset class="segments" aria-label={t('plan.atDeadline')}>
        <For each={deadlineActions}>
          {(action) => (
            <button
              type="button"
              aria-pressed={props.state.plan.atDeadline === action}
              onClick={() => props.state.setPlan('atDeadline', action)}
            >
              {t(`plan.atDeadline.${action}`)}
            </button>
          )}
        </For>
      </fieldset>
    </div>
  );
}

/** "1 → 5% → 25% → 100%" */
const wavesInWords = (waves: readonly WaveDraft[]): string =>
  waves
    .map(({ size, unit }, i) => (i === waves.length - 1 ? '100%' : unit === 'percent' ? `${size}%` : size))
    .join(' → ');

/** Waves, schedule, and what makes it retry or halt. */
export function PlanFields(props: { state: PlanState }): JSX.Element {
  const preset = () => presetOf(props.state.plan.waves);
  let presetButtons!: HTMLFieldSetElement;
  useRoving(() => presetButtons);
  const problem = (name: string) => {
    const found = props.state.problems()[name];
    return found ? t(`plan.problem.${found}`) : null;
  };
  return (
    <>
      <Picker
        title={t('plan.waves')}
        note={preset() ? t(`plan.preset.${preset()!}`) : t('plan.preset.own')}
        testId="plan-waves"
        open
      >
        <fieldset class="segments" aria-label={t('plan.waves')} ref={presetButtons}>
          <For each={presets}>
            {(name) => (
              <button type="button" aria-pressed={preset() === name} onClick={() => props.state.choose(name)}>
                {t(`plan.preset.${name}`)}
              </button>
            )}
          </For>
        </fieldset>
        <details class="fold" open={!preset()}>
          <summary>{t('plan.editWaves', { waves: wavesInWords(props.state.plan.waves) })}</summary>
          <WaveFields state={props.state} />
        </details>
      </Picker>
      <Picker
        title={t('plan.schedule')}
        note={t(
          props.state.plan.startAt
            ? 'plan.later'
            : windowOf(props.state.plan)
              ? 'deploy.startsInWindow'
              : 'plan.now',
        )}
        testId="plan-schedule"
      >
        <div class="numbers">
          <div class="field">
            <label for="start-at">{t('plan.startAt')}</label>
            <input
              id="start-at"
              type="datetime-local"
              class="input"
              value={props.state.plan.startAt}
              aria-invalid={problem('startAt') ? 'true' : undefined}
              aria-describedby="start-at-hint"
              onInput={(event) => props.state.setPlan('startAt', event.currentTarget.value)}
            />
            <p id="start-at-hint" class={problem('startAt') ? 'wrong' : 'hint'}>
              {problem('startAt') ?? t('plan.startAtHint')}
            </p>
          </div>
          <NumberField
            label={t('plan.ratePerMinute')}
            hint={t('plan.ratePerMinuteHint')}
            value={props.state.plan.ratePerMinute}
            wrong={problem('ratePerMinute')}
            onInput={(value) => props.state.setPlan('ratePerMinute', value)}
          />
        </div>
      </Picker>
      <Picker title={t('plan.window')} note={windowInWords(windowOf(props.state.plan))} testId="plan-window">
        <WindowFields state={props.state} />
      </Picker>
      <HealthFields state={props.state} />
      <Picker title={t('plan.limits')} testId="plan-limits">
        <Numbers state={props.state} names={limits}>
          <AtDeadline state={props.state} />
        </Numbers>
      </Picker>
      <Picker
        title={t('plan.policy')}
        note={t('plan.policyNote', {
          attempts: props.state.plan.maxAttempts || '–',
          failure: props.state.plan.failurePercent || '–',
        })}
        testId="plan-policy"
      >
        <Numbers state={props.state} names={thresholds} />
        <Numbers state={props.state} names={retries} />
        <Show when={props.state.plan.waves.length === 1}>
          <p class="hint">{t('plan.oneWave')}</p>
        </Show>
      </Picker>
    </>
  );
}
