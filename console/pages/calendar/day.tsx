import { A } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import type { Calendar, Freeze } from '../../api.ts';
import { formatDay, formatTime } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { StateMark } from '../../parts/state.tsx';
import { dayOf } from './month.ts';

type Deployment = Calendar['deployments'][number];

/** Of each day so many are drawn; the others unfold. */
const shown = 3;

function Entry(props: { deployment: Deployment; day: string }): JSX.Element {
  return (
    <li>
      <A href={`/deployments/${props.deployment.id}`}>
        {props.deployment.firmware} {props.deployment.version}
      </A>{' '}
      <span class="soft small">
        <Show when={dayOf(props.deployment.startsAt) === props.day}>
          {formatTime(language(), props.deployment.startsAt)}{' '}
        </Show>
        <StateMark state={props.deployment.state} />
      </span>
    </li>
  );
}

/** One day of the month: its freezes, then its deployments. */
export function Day(props: {
  day: string;
  outside: boolean;
  today: boolean;
  deployments: readonly Deployment[];
  freezes: readonly Freeze[];
}): JSX.Element {
  const isEmpty = () => props.deployments.length + props.freezes.length === 0;
  const name = () =>
    t('calendar.day', {
      day: formatDay(language(), props.day),
      deployments: props.deployments.length,
      freezes: props.freezes.length,
    });
  return (
    <li
      class="day"
      classList={{ outside: props.outside, empty: isEmpty(), frozen: props.freezes.length > 0 }}
      aria-label={name()}
      aria-current={props.today ? 'date' : undefined}
      data-day={props.day}
    >
      <time datetime={props.day}>
        <span class="number">{Number(props.day.slice(8))}</span>
        <span class="whole">{formatDay(language(), props.day)}</span>
      </time>
      <ul>
        <For each={props.freezes}>{(freeze) => <li class="freeze">{freeze.name}</li>}</For>
        <For each={props.deployments.slice(0, shown)}>
          {(deployment) => <Entry deployment={deployment} day={props.day} />}
        </For>
      </ul>
      <Show when={props.deployments.length > shown}>
        <details>
          <summary>{t('calendar.more', { n: props.deployments.length - shown })}</summary>
          <ul>
            <For each={props.deployments.slice(shown)}>
              {(deployment) => <Entry deployment={deployment} day={props.day} />}
            </For>
          </ul>
        </details>
      </Show>
    </li>
  );
}
