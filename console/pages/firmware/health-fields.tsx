import { createUniqueId, For, type JSX, Show } from 'solid-js';
import { t } from '../../i18n/i18n.ts';
import { NumberField } from '../../parts/number-field.tsx';
import { Picker } from '../../parts/picker.tsx';
import { checkHealth, comparable, type HealthDraft } from './health-draft.ts';
import type { PlanState } from './plan-fields.tsx';

const numbers = ['controlPercent', 'minDevices', 'minHours', 'marginPercent'] as const;
const units = {
  ...{ controlPercent: () => '%', minDevices: () => '', marginPercent: () => '%' },
  minHours: () => t('unit.h'),
} as const;

function Choice<T extends string | boolean>(props: {
  label: string;
  options: readonly { value: T; label: string }[];
  isChosen: (value: T) => boolean;
  onChoose: (value: T) => void;
}): JSX.Element {
  return (
    <div class="field">
      <span class="label">{props.label}</span>
      <fieldset class="segments" aria-label={props.label}>
        <For each={props.options}>
          {({ value, label }) => (
            <button type="button" aria-pressed={props.isChosen(value)} onClick={() => props.onChoose(value)}>
              {label}
            </button>
          )}
        </For>
      </fieldset>
    </div>
  );
}

/** A control group that waits, and what halts the others when they fare worse than it. */
export function HealthFields(props: { state: PlanState }): JSX.Element {
  const draft = () => props.state.plan.health;
  const set = (change: Partial<HealthDraft>) => props.state.setPlan('health', change);
  const problems = () => checkHealth(draft());
  const metric = createUniqueId();
  const toggle = (signal: (typeof comparable)[number]) =>
    set({ signals: comparable.filter((one) => (one === signal) !== draft().signals.includes(one)) });
  return (
    <Picker
      title={t('plan.health')}
      note={draft().on ? t('plan.healthOn', { n: draft().controlPercent || '–' }) : t('plan.healthOff')}
      testId="plan-health"
    >
      <Choice
        label={t('plan.healthCompare')}
        options={[
          { value: false, label: t('plan.healthOff') },
          { value: true, label: t('plan.healthCompareOn') },
        ]}
        isChosen={(on) => draft().on === on}
        onChoose={(on) => set({ on })}
      />
      <Show when={draft().on}>
        <div class="numbers">
          <For each={numbers}>
            {(name) => (
              <NumberField
                label={t(`plan.health.${name}`)}
                hint={t(`plan.health.${name}Hint`)}
                unit={units[name]()}
                value={draft()[name]}
                wrong={problems()[name] ? t('plan.problem.number') : null}
                onInput={(value) => set({ [name]: value })}
              />
            )}
          </For>
        </div>
        <Choice
          label={t('plan.health.signals')}
          options={comparable.map((value) => ({ value, label: t(`health.signal.${value}`) }))}
          isChosen={(signal) => draft().signals.includes(signal)}
          onChoose={toggle}
        />
        <div class="numbers">
          <div class="field">
            <label for={metric}>{t('plan.health.metric')}</label>
            <input
              id={metric}
              class="input"
              type="text"
              autocomplete="off"
              maxLength={64}
              value={draft().metric}
              onInput={(event) => set({ metric: event.currentTarget.value.trim() })}
            />
            <p class={problems().signals ? 'wrong' : 'hint'}>
              {problems().signals ? t('plan.health.noSignals') : t('plan.health.metricHint')}
            </p>
          </div>
          <Show when={draft().metric}>
            <Choice
              label={t('plan.health.better')}
              options={(['high', 'low'] as const).map((value) => ({
                value,
                label: t(`plan.health.${value}`),
              }))}
              isChosen={(better) => draft().better === better}
              onChoose={(better) => set({ better })}
            />
          </Show>
        </div>
        <Choice
          label={t('plan.health.afterwards')}
          options={(['release', 'keep'] as const).map((value) => ({
            value,
            label: t(`plan.health.${value}`),
          }))}
          isChosen={(afterwards) => draft().afterwards === afterwards}
          onChoose={(afterwards) => set({ afterwards })}
        />
        <p class="hint">{t('plan.healthHint')}</p>
      </Show>
    </Picker>
  );
}
