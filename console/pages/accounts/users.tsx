import { createMemo, createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { type Account, adminApi } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { glyphs } from '../../parts/glyphs.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Head } from '../../parts/page.tsx';
import { RowAct } from '../../parts/row-act.tsx';
import { Sign } from '../../parts/state.tsx';
import { Ago } from '../../parts/time.tsx';
import { told } from '../../parts/toast.tsx';
import { user } from '../../session.ts';
import { ReachNote } from './reach-field.tsx';
import { AddUser, ChangeUser } from './user-dialogs.tsx';

type Asked = { act: 'add' } | { act: 'change' | 'disable' | 'enable' | 'resetTotp'; who: Account };

function State(props: { disabled: boolean }): JSX.Element {
  return (
    <Sign tone={props.disabled ? 'stopped' : 'good'} glyph={props.disabled ? glyphs.cross : glyphs.check}>
      {t(props.disabled ? 'users.disabled' : 'users.active')}
    </Sign>
  );
}

function Acts(props: { who: Account; ask: (asked: Asked) => void }): JSX.Element {
  const button = (act: 'change' | 'disable' | 'enable' | 'resetTotp') => (
    <RowAct name={props.who.email} onAct={() => props.ask({ act, who: props.who })}>
      {t(`users.${act}`)}
    </RowAct>
  );
  return (
    <>
      <Show when={!props.who.issuer}>{button('change')}</Show>{' '}
      <Show when={props.who.totp}>{button('resetTotp')}</Show>{' '}
      {button(props.who.disabled ? 'enable' : 'disable')}
    </>
  );
}

const describe = (ask: (asked: Asked) => void): Column<Account>[] => [
  {
    head: t('login.email'),
    class: 'anywhere',
    cell: (who) => (
      <>
        <strong>{who.email}</strong>
        <Show when={who.email === user()?.email}> {<span class="soft small">{t('users.you')}</span>}</Show>
        <Show when={who.totp}> {<span class="soft small">{t('users.totp')}</span>}</Show>
        <Show when={who.issuer}>
          {(issuer) => (
            <span class="soft small" title={issuer()}>
              {' '}
              {t('users.sso')}
            </span>
          )}
        </Show>
      </>
    ),
  },
  {
    head: t('users.role'),
    class: 'tight',
    cell: (who) => (
      <>
        <span class="cap">{t(`role.${who.role}`)}</span>
        <ReachNote reach={who.reach} />
      </>
    ),
  },
  { head: t('users.state'), class: 'tight', cell: (who) => <State disabled={who.disabled} /> },
  { head: t('users.since'), class: 'tight mid soft', cell: (who) => <Ago at={who.createdAt} /> },
  { head: '', class: 'num acts stacks', cell: (who) => <Acts who={who} ask={ask} /> },
];

function Users(): JSX.Element {
  const [asked, setAsked] = createSignal<Asked>();
  const load = createLoad(
    () => true,
    (_, signal) => adminApi.listAccounts(signal),
  );
  useLive('audit', 'user', load.refetch);
  const columns = createMemo(() => describe(setAsked));
  const close = () => {
    setAsked(undefined);
    load.refetch();
  };
  const disable = async ({ id, email }: Account, seen: number) => {
    const saved = await adminApi.changeAccount(id, { disabled: true }, seen);
    void told(t('toast.disabled', { email }), () =>
      adminApi.changeAccount(id, { disabled: false }, saved.revision),
    );
  };
  const who = (act: Asked['act']) => {
    const one = asked();
    return one?.act === act && 'who' in one ? one.who : undefined;
  };
  return (
    <>
      <Head
        title={t('users.title')}
        lead={t('users.lead')}
        actions={
          <button type="button" class="button primary" onClick={() => setAsked({ act: 'add' })}>
            {t('users.add')}
          </button>
        }
      />
      <Loaded load={load}>
        {(users) => <DataTable caption={t('users.title')} columns={columns()} rows={users()} />}
      </Loaded>
      <Switch>
        <Match when={asked()?.act === 'add'}>
          <AddUser onClose={close} />
        </Match>
        <Match when={who('change')}>{(one) => <ChangeUser who={one()} onClose={close} />}</Match>
        <Match when={who('disable')}>
          {(one) => (
            <Confirm
              title={t('users.disableTitle', { email: one().email })}
              of={one()}
              act={(seen) => disable(one(), seen)}
              actLabel={t('users.disable')}
              keepLabel={t('common.cancel')}
              onClose={close}
            >
              <p>{t('users.disableWhat')}</p>
            </Confirm>
          )}
        </Match>
        <Match when={who('resetTotp')}>
          {(one) => (
            <Confirm
              title={t('users.resetTotpTitle', { email: one().email })}
              act={() => adminApi.resetTotp(one().id)}
              actLabel={t('users.resetTotp')}
              keepLabel={t('common.cancel')}
              onClose={close}
            >
              <p>{t('users.resetTotpWhat')}</p>
            </Confirm>
          )}
        </Match>
        <Match when={who('enable')}>
          {(one) => (
            <Confirm
              title={t('users.enableTitle', { email: one().email })}
              of={one()}
              act={(seen) => adminApi.changeAccount(one().id, { disabled: false }, seen)}
              actLabel={t('users.enable')}
              keepLabel={t('common.cancel')}
              onClose={close}
            >
              <p>
                {one().issuer
                  ? t('users.enableSso')
                  : t('users.enableWhat', { role: t(`role.${one().role}`) })}
              </p>
            </Confirm>
          )}
        </Match>
      </Switch>
    </>
  );
}

export default function UsersPage(): JSX.Element {
  return (
    <Allowed to="admin" fleet page>
      <Users />
    </Allowed>
  );
}
