import { type JSX, Show } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { may, type Role, reachesAll, user } from '../session.ts';
import { Empty } from './notes.tsx';

/**
 * What takes a role, and with `fleet` one that holds for the whole fleet: a whole page says to others that it is not for them, a button is
 * left out.
 */
export function Allowed(props: {
  to: Role;
  fleet?: boolean;
  page?: boolean;
  children: JSX.Element;
}): JSX.Element {
  const lead = (yours: Role) =>
    may(props.to)
      ? t('allowed.fleet')
      : t('allowed.lead', { needed: t(`role.${props.to}`), yours: t(`role.${yours}`) });
  return (
    <Show
      when={may(props.to) && (!props.fleet || reachesAll())}
      fallback={
        <Show when={props.page && user()}>
          {(who) => <Empty title={t('allowed.title')} lead={lead(who().role as Role)} />}
        </Show>
      }
    >
      {props.children}
    </Show>
  );
}
