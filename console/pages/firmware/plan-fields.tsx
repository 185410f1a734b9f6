import { For, type JSX, Show } from 'solid-js';
import { createStore } from 'solid-js/store';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { Picker } from '../../parts/picker.tsx';
import { useRoving } from '../../parts/roving.ts';
import { Select } from '../../parts/select.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { windowInWords } from '../../parts/window-words.ts';
import { HealthFields } from './health-fields.tsx';
import {
  channelsOf,
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
    setPlan({ waves: wavesOf(preset), named: null });
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

/** Policies that are kept under a name, where there are any; one that is chosen stands for all that it decides. */
function PolicyPicker(props: { state: PlanState }): JSX.Element {
  const policies = createLoad(
    () => true,
    (_, signal) => api.listPolicies(signal),
  );
  const choose = (id: string) => {
    const found = policies.data?.find((one) => one.id === id);
    props.state.setPlan('named', found ? { name: found.name, policy: found.policy } : null);
  };
  const chosen = () => policies.data?.find(({ name }) => name === props.state.plan.named?.name)?.id ?? '';
  return (
    <Show when={policies.data?.length}>
      <Picker
        title={t('plan.named')}
        note={props.state.plan.named?.name ?? t('plan.ownPolicy')}
        testId="plan-named"
        open
      >
        <Select
          label={t('plan.named')}
          all={t('plan.ownPolicy')}
          options={policies.data!.map(({ id, name }) => ({ value: id, label: name }))}
          value={chosen()}
          onChange={choose}
        />
        <p class="hint">{t('plan.namedHint')}</p>
      </Picker>
    </Show>
  );
}

function Waves(props: { state: PlanState }): JSX.Element {
  const preset = () => presetOf(props.state.plan.waves);
  let presetButtons!: HTMLFieldSetElement;
  useRoving(() => presetButtons);
  return (
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
  );
}

/** Waves, schedule, and what makes it retry or halt. */
export function PlanFields(props: { state: PlanState }): JSX.Element {
  const problem = (name: string) => {
    const found = props.state.problems()[name];
    return found ? t(`plan.problem.${found}`) : null;
  };
  const isTyped = () => props.state.plan.named === null;
  return (
    <>
      <PolicyPicker state={props.state} />
      <Show when={isTyped()}>
        <Waves state={props.state} />
      </Show>
      <Picker
        title={t('plan.channels')}
        note={channelsOf(props.state.plan).join(', ')}
        testId="plan-channels"
      >
        <TextField
          name="channels"
          label={t('plan.channels')}
          hint={t('plan.channelsHint')}
          wrong={problem('channels')}
          value={props.state.plan.channels}
          maxLength={700}
          onInput={(value) => props.state.setPlan('channels', value)}
        />
      </Picker>
      <Picker
        title={t('plan.schedule')}
        note={t(
          props.state.plan.startAt
            ? 'plan.later'
            : isTyped() && windowOf(props.state.plan)
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
          <Show when={isTyped()}>
            <NumberField
              label={t('plan.ratePerMinute')}
              hint={t('plan.ratePerMinuteHint')}
              value={props.state.plan.ratePerMinute}
              wrong={problem('ratePerMinute')}
              onInput={(value) => props.state.setPlan('ratePerMinute', value)}
            />
          </Show>
        </div>
        <TextField
          name="override-freeze"
          label={t('plan.overrideFreeze')}
          hint={t('plan.overrideFreezeHint')}
          wrong={problem('overrideFreeze')}
          value={props.state.plan.overrideFreeze}
          maxLength={500}
          onInput={(value) => props.state.setPlan('overrideFreeze', value)}
        />
      </Picker>
      <Show when={isTyped()}>
        <Picker
          title={t('plan.window')}
          note={windowInWords(windowOf(props.state.plan))}
          testId="plan-window"
        >
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
      </Show>
    </>
  );
}
