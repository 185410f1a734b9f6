import { createSignal, createUniqueId, For, type JSX, Show } from 'solid-js';
import { api, type NewToken, type Token } from '../../api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { Problem } from '../../parts/notes.tsx';
import { When } from '../../parts/time.tsx';
import { TextField } from '../firmware/fields.tsx';

const profiles = ['device', 'broker', 'service'] as const satisfies NewToken['profile'][];

/** Issues a one-time token and shows it, this once. */
export function TokenDialog(props: { onClose: () => void }): JSX.Element {
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal<unknown>();
  const [token, setToken] = createSignal<Token>();
  const [profile, setProfile] = createSignal<(typeof profiles)[number]>('device');
  const titleId = createUniqueId();
  let dialog!: HTMLDialogElement;

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    setError(undefined);
    try {
      setToken(
        await api.createToken({
          profile: profile(),
          commonName: String(form.get('commonName')).trim(),
          names: String(form.get('names') ?? '')
            .split(/[\s,]+/)
            .filter(Boolean),
        }),
      );
    } catch (cause) {
      setError(cause);
    } finally {
      setBusy(false);
    }
  };

  return (
    <dialog
      ref={(element) => {
        dialog = element;
        queueMicrotask(() => dialog.showModal());
      }}
      aria-labelledby={titleId}
      onClose={() => props.onClose()}
    >
      <h2 id={titleId}>{t('token.title')}</h2>
      <p class="soft">{t('token.lead')}</p>
      <Problem error={error()} />
      <Show
        when={token()}
        fallback={
          <form onSubmit={submit}>
            <div class="field">
              <label for={`${titleId}-profile`}>{t('certificates.profile')}</label>
              <select
                id={`${titleId}-profile`}
                class="input"
                onChange={(event) => setProfile(event.currentTarget.value as (typeof profiles)[number])}
              >
                <For each={profiles}>
                  {(one) => <option value={one}>{tMaybe(`certProfile.${one}`) ?? one}</option>}
                </For>
              </select>
            </div>
            <TextField
              name="commonName"
              label={t('token.name')}
              hint={t('token.nameHint')}
              maxLength={64}
              required
            />
            <Show when={profile() !== 'device'}>
              <TextField name="names" label={t('token.names')} hint={t('token.namesHint')} />
            </Show>
            <div class="actions">
              <button type="button" class="button" onClick={() => dialog.close()}>
                {t('common.cancel')}
              </button>
              <button type="submit" class="button primary" disabled={busy()}>
                {t('token.create')}
              </button>
            </div>
          </form>
        }
      >
        {(issued) => (
          <>
            <p>
              <code class="digest" data-testid="token">
                {issued().token}
              </code>
            </p>
            <p class="soft">
              {t('token.once')} <When at={issued().expiresAt} />
            </p>
            <div class="actions">
              <button type="button" class="button primary" onClick={() => dialog.close()}>
                {t('token.close')}
              </button>
            </div>
          </>
        )}
      </Show>
    </dialog>
  );
}
