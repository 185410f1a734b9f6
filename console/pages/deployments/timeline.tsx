import { A } from '@solidjs/router';
import { createEffect, For, type JSX, on, Show } from 'solid-js';
import { targetStates } from '#webhook/deployments/states.ts';
import { api, type TargetEvent } from '../../api.ts';
import { formatTime } from '../../format.ts';
import { language, t, tMaybe } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { StateMark } from '../../parts/state.tsx';

const stateOf = (event: TargetEvent) => targetStates.find((state) => state === event.state);

/** What made the step; nothing when that would only repeat the state. */
const wordsOf = (event: TargetEvent) =>
  event.event === event.state ? '' : (tMaybe(`event.${event.event}`) ?? event.event);

/** A reason that we have words for, instead of its code and what the device says of it; else what the application said. */
const detailOf = ({ detail }: TargetEvent) => detail && (tMaybe(`failure.${detail.split(':')[0]}`) ?? detail);

/** Everything that happened to one device in one deployment, in order. `version` changes when there may be more. */
export function Timeline(props: {
  deployment: string;
  device: string;
  name: string;
  version: string;
}): JSX.Element {
  const load = createLoad<string, TargetEvent[]>(
    () => props.device,
    (device, signal) => api.listTargetEvents(props.deployment, device, signal),
  );
  createEffect(on(() => props.version, load.refetch, { defer: true }));

  return (
    <>
      <Loaded load={load}>
        {(events) => (
          <Show when={events().length > 0} fallback={<p class="soft">{t('deployment.noEvents')}</p>}>
            <ol class="timeline" aria-label={t('deployment.timeline', { name: props.name })}>
              <For each={events()}>
                {(event) => (
                  <li>
                    <time class="soft" datetime={event.at}>
                      {formatTime(language(), event.at)}
                    </time>
                    <Show when={stateOf(event)} fallback={<span>{event.state}</span>}>
                      {(state) => <StateMark state={state()} />}
                    </Show>
                    <span class="soft" title={event.detail ?? undefined}>
                      {[wordsOf(event), detailOf(event)].filter(Boolean).join(' · ')}
                    </span>
                  </li>
                )}
              </For>
            </ol>
          </Show>
        )}
      </Loaded>
      <A class="link small" href={`/devices/${encodeURIComponent(props.device)}`}>
        {t('common.more', { name: props.name })}
      </A>
    </>
  );
}
