import { A } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Ago } from '../../parts/time.tsx';
import { may } from '../../session.ts';

/** Deployments of others that wait for a second person, who may be whoever looks. */
export function WaitingForYou(): JSX.Element {
  const load = createLoad(
    () => may('operator') || null,
    (_, signal) => api.listApprovals(signal),
  );
  useLive('deployment', undefined, load.refetch);
  return (
    <Show when={load.data?.length}>
      <section aria-labelledby="waiting-for-you" data-testid="waiting-for-you">
        <h2 id="waiting-for-you">{t('approval.list')}</h2>
        <ul>
          <For each={load.data}>
            {(one) => (
              <li>
                <A href={`/deployments/${one.id}`}>
                  {one.firmware.name} {one.firmware.version}
                </A>{' '}
                <span class="soft">
                  {t('approval.by', { who: one.createdBy })} · <Ago at={one.createdAt} />
                </span>
              </li>
            )}
          </For>
        </ul>
      </section>
    </Show>
  );
}
