import { createMemo, createSignal, type JSX, Match, Show, Switch } from 'solid-js';
import type { ApiToken } from '../../admin-api.ts';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { DataTable } from '../../parts/data-table.tsx';
import { Dialog } from '../../parts/dialog.tsx';
import { Loaded } from '../../parts/loaded.tsx';
import { NewToken } from './new-token.tsx';
import { ownColumnsOf, RevokeToken } from './tokens.tsx';

/** One's own API tokens, whatever one's role: listed, made and revoked. */
export default function OwnTokens(props: { onClose: () => void }): JSX.Element {
  const [adding, setAdding] = createSignal(false);
  const [revoking, setRevoking] = createSignal<ApiToken>();
  const load = createLoad(
    () => true,
    (_, signal) => api.listOwnTokens(signal),
  );
  const columns = createMemo(() => ownColumnsOf(setRevoking));
  /** The list opens again in the place of what was done. */
  const back = () => {
    setAdding(false);
    setRevoking(undefined);
    load.refetch();
  };
  return (
    <Switch>
      <Match when={adding()}>
        <NewToken own onClose={back} />
      </Match>
      <Match when={revoking()}>
        {(token) => <RevokeToken token={token()} revoke={api.revokeOwnToken} onClose={back} />}
      </Match>
      <Match when={!adding() && !revoking()}>
        <Dialog title={t('ownTokens.title')} onClose={() => adding() || revoking() || props.onClose()} wide>
          {(close) => (
            <>
              <p class="prose">{t('ownTokens.lead')}</p>
              <Loaded load={load}>
                {(tokens) => (
                  <Show when={tokens().length > 0} fallback={<p class="soft">{t('tokens.empty')}</p>}>
                    <DataTable caption={t('ownTokens.title')} columns={columns()} rows={tokens()} />
                  </Show>
                )}
              </Loaded>
              <div class="actions">
                <button type="button" class="button" onClick={() => setAdding(true)}>
                  {t('tokens.add')}
                </button>
                <button type="button" class="button primary" onClick={close}>
                  {t('token.close')}
                </button>
              </div>
            </>
          )}
        </Dialog>
      </Match>
    </Switch>
  );
}
