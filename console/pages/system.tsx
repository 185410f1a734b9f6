import { A, type RouteSectionProps } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { useActiveSeen } from '../parts/active-seen.ts';
import { may, reachesAll } from '../session.ts';
import '../styles/admin.css';
import { tabs } from './system-tabs.ts';

/** What surrounds the pages about Flota itself. */
export default function SystemFrame(props: RouteSectionProps): JSX.Element {
  let nav!: HTMLElement;
  useActiveSeen(() => nav);
  return (
    <>
      <nav class="tabs" ref={nav} aria-label={t('nav.system')}>
        <For each={tabs}>
          {(tab) => (
            <Show when={may(tab.to) && (!tab.fleet || reachesAll())}>
              <A class="tab" href={`/system/${tab.path}`}>
                {t(tab.name)}
              </A>
            </Show>
          )}
        </For>
      </nav>
      {props.children}
    </>
  );
}
