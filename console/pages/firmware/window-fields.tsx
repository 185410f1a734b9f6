import { createUniqueId, For, type JSX } from 'solid-js';
import type { Weekday } from '../../api.ts';
import { formatWeekday, weekdays } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import type { PlanState } from './plan-fields.tsx';

/** From when to when, and on which days, updates may start. */
export function WindowFields(props: { state: PlanState }): JSX.Element {
  const hint = createUniqueId();
  const problem = (name: string) => {
    const found = props.state.problems()[name];
    return found ? t(`plan.problem.${found}`) : null;
  };
  const wrong = () => problem('window') ?? problem('windowDays');
  const toggle = (day: Weekday) =>
    props.state.setPlan('windowDays', (days) =>
      weekdays.filter((one) => (one === day ? !days.includes(day) : days.includes(one))),
    );
  const time = (name: 'windowFrom' | 'windowTo') => {
    const id = createUniqueId();
    return (
      <div class="field">
        <label for={id}>{t(`plan.${name}`)}</label>
        <input
          id={id}
          type="time"
          class="input"
          value={props.state.plan[name]}
          aria-invalid={problem('window') ? 'true' : undefined}
          aria-describedby={hint}
          onInput={(event) => props.state.setPlan(name, event.currentTarget.value)}
        />
      </div>
    );
  };
  return (
    <>
      <div class="numbers">
        {time('windowFrom')}
        {time('windowTo')}
      </div>
      <div class="field">
        <span class="label">{t('plan.windowDays')}</span>
        <fieldset class="segments" aria-label={t('plan.windowDays')}>
          <For each={weekdays}>
            {(day) => (
              <button
                type="button"
                aria-pressed={props.state.plan.windowDays.includes(day)}
                onClick={() => toggle(day)}
              >
                {formatWeekday(language(), day)}
              </button>
            )}
          </For>
        </fieldset>
      </div>
      <p id={hint} class={wrong() ? 'wrong' : 'hint'}>
        {wrong() ?? t('plan.windowHint')}
      </p>
    </>
  );
}
