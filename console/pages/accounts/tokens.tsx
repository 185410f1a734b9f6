import { createMemo, createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import { type ApiToken, adminApi } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { Confirm } from '../../parts/confirm.tsx';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { glyphs } from '../../parts/glyphs.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { RowAct } from '../../parts/row-act.tsx';
import { Sign } from '../../parts/state.tsx';
import { Ago, nowMs } from '../../parts/time.tsx';
import { NewToken } from './new-token.tsx';
import { ReachNote } from './reach-field.tsx';

const stateOf = (token: ApiToken): 'revoked' | 'expired' | 'active' =>
  token.revokedAt
    ? 'revoked'
    : token.expiresAt && Date.parse(token.expiresAt) <= nowMs()
      ? 'expired'
      : 'active';

function State(props: { token: ApiToken }): JSX.Element {
  const state = () => stateOf(props.token);
  return (
    <Sign
      tone={state() === 'active' ? 'good' : 'stopped'}
      glyph={state() === 'active' ? glyphs.check : glyphs.cross}
    >
      {t(`tokens.${state()}`)}
    </Sign>
  );
}

function Powers(props: { token: ApiToken }): JSX.Element {
  return (
    <>
      <span class="cap">{t(`role.${props.token.role}`)}</span>
      <ReachNote reach={props.token.reach} />
      <Show when={props.token.scopes}>
        {(scopes) => <span class="soft small"> {scopes().join(' ')}</span>}
      </Show>
    </>
  );
}

/** Of all tokens. */
const columnsOf = (revoke: (token: ApiToken) => void): Column<ApiToken>[] => [
  {
    head: t('tokens.name'),
    cell: (token) => (
      <>
        <strong>{token.name}</strong>{' '}
        <span class="soft small mid">
          {token.personal ? t('tokens.personal', { email: token.createdBy }) : token.createdBy}
        </span>
      </>
    ),
  },
  { head: t('users.role'), class: 'tight', cell: (token) => <Powers token={token} /> },
  stateColumn(),
  momentColumn(t('tokens.used'), 'tight mid soft', (token) => token.lastUsedAt),
  expiryColumn(),
  revokeColumn(revoke),
];

/** Of one's own, in a dialog. */
export const ownColumnsOf = (revoke: (token: ApiToken) => void): Column<ApiToken>[] => [
  {
    head: t('tokens.name'),
    cell: (token) => (
      <>
        <strong>{token.name}</strong>
        <div class="small">
          <Powers token={token} />
        </div>
      </>
    ),
  },
  stateColumn(),
  expiryColumn(),
  revokeColumn(revoke),
];

const stateColumn = (): Column<ApiToken> => ({
  head: t('users.state'),
  class: 'tight',
  cell: (token) => <State token={token} />,
});

const expiryColumn = () => momentColumn(t('tokens.expires'), 'tight wide soft', (token) => token.expiresAt);

const momentColumn = (
  head: string,
  classes: string,
  of: (token: ApiToken) => string | null,
): Column<ApiToken> => ({
  head,
  class: classes,
  cell: (token) => (
    <Show when={of(token)} fallback={t('common.never')}>
      {(at) => <Ago at={at()} />}
    </Show>
  ),
});

const revokeColumn = (revoke: (token: ApiToken) => void): Column<ApiToken> => ({
  head: '',
  class: 'num acts',
  cell: (token) => (
    <Show when={stateOf(token) === 'active'}>
      <RowAct name={token.name} onAct={() => revoke(token)}>
        {t('tokens.revoke')}
      </RowAct>
    </Show>
  ),
});

export function RevokeToken(props: {
  token: ApiToken;
  revoke: (id: string, seen: number) => Promise<void>;
  onClose: () => void;
}): JSX.Element {
  return (
    <Confirm
      title={t('tokens.revokeTitle', { name: props.token.name })}
      of={props.token}
      act={(seen) => props.revoke(props.token.id, seen)}
      actLabel={t('tokens.revoke')}
      keepLabel={t('common.cancel')}
      onClose={props.onClose}
    >
      <p>{t('tokens.revokeWhat')}</p>
    </Confirm>
  );
}

function Tokens(): JSX.Element {
  const [adding, setAdding] = createSignal(false);
  const [revoking, setRevoking] = createSignal<ApiToken>();
  const load = createLoad(
    () => true,
    (_, signal) => adminApi.listApiTokens(signal),
  );
  useLive('audit', 'token', load.refetch);
  const columns = createMemo(() => columnsOf(setRevoking));
  const close = () => {
    setAdding(false);
    setRevoking(undefined);
    load.refetch();
  };
  const add = () => (
    <button type="button" class="button primary" onClick={() => setAdding(true)}>
      {t('tokens.add')}
    </button>
  );
  return (
    <>
      <Head title={t('tokens.title')} lead={t('tokens.lead')} actions={add()} />
      <Loaded load={load}>
        {(tokens) => (
          <Show
            when={tokens().length > 0}
            fallback={<Empty title={t('tokens.empty')} lead={t('tokens.emptyLead')} />}
          >
            <DataTable caption={t('tokens.title')} columns={columns()} rows={tokens()} />
          </Show>
        )}
      </Loaded>
      <Switch>
        <Match when={adding()}>
          <NewToken onClose={close} />
        </Match>
        <Match when={revoking()}>
          {(token) => <RevokeToken token={token()} revoke={adminApi.revokeApiToken} onClose={close} />}
        </Match>
      </Switch>
    </>
  );
}

export default function TokensPage(): JSX.Element {
  return (
    <Allowed to="admin" fleet page>
      <Tokens />
    </Allowed>
  );
}
