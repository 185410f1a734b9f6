import { type JSX, Show } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { may, type Role, user } from '../session.ts';
import { Empty } from './notes.tsx';

/** What takes a role: a whole page says to others that it is not for them, a button is left out. */
export function Allowed(props: { to: Role; page?: boolean; children: JSX.Element }): JSX.Element {
  return (
    <Show
      when={may(props.to)}
      fallback={
        <Show when={props.page && user()}>
          {(who) => (
            <Empty
              title={t('allowed.title')}
              lead={t('allowed.lead', {
                needed: t(`role.${props.to}`),
                yours: t(`role.${who().role as Role}`),
              })}
            />
          )}
        </Show>
      }
    >
      {props.children}
    </Show>
  );
}
