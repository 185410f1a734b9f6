import { A, type RouteSectionProps } from '@solidjs/router';
import { For, type JSX, Show } from 'solid-js';
import { type MessageKey, t } from '../i18n/i18n.ts';
import { useActiveSeen } from '../parts/active-seen.ts';
import { may, type Role } from '../session.ts';
import '../styles/admin.css';

const tabs: { path: string; name: MessageKey; to: Role }[] = [
  { path: 'broker', name: 'broker.title', to: 'viewer' },
  { path: 'regions', name: 'places.title', to: 'viewer' },
  { path: 'dead-letters', name: 'letters.title', to: 'viewer' },
  { path: 'notifications', name: 'notify.title', to: 'admin' },
  { path: 'users', name: 'users.title', to: 'admin' },
  { path: 'tokens', name: 'tokens.title', to: 'admin' },
  { path: 'audit', name: 'audit.title', to: 'admin' },
];

/** What surrounds the pages about Flota itself. */
export default function SystemFrame(props: RouteSectionProps): JSX.Element {
  let nav!: HTMLElement;
  useActiveSeen(() => nav);
  return (
    <>
      <nav class="tabs" ref={nav} aria-label={t('nav.system')}>
        <For each={tabs}>
          {(tab) => (
            <Show when={may(tab.to)}>
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
