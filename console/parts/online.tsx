import { type JSX, Show } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { Ago } from './time.tsx';

/** A full disc and "Online", or a ring and "Offline" with when it was last seen. */
export function Online(props: { online: boolean; lastSeenAt?: string | null }): JSX.Element {
  return (
    <span class={`state ${props.online ? 'tone-good' : 'tone-waiting'}`}>
      <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden="true">
        <circle
          cx="6"
          cy="6"
          r="3.5"
          fill={props.online ? 'currentColor' : 'none'}
          stroke="currentColor"
          stroke-width="1.5"
        />
      </svg>
      <span class="word">{props.online ? t('devices.online') : t('devices.offline')}</span>
      <Show when={!props.online && props.lastSeenAt}>
        {(at) => (
          <span class="soft small">
            <Ago at={at()} />
          </span>
        )}
      </Show>
    </span>
  );
}
