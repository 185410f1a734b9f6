import { createMemo, createResource, createUniqueId, type JSX, onMount, Show } from 'solid-js';
import { createAct } from '../act.ts';
import { api } from '../api.ts';
import { ApiError } from '../http.ts';
import { type Language, language, languages, setLanguage, t } from '../i18n/i18n.ts';
import { Mark } from '../parts/mark.tsx';
import { Problem } from '../parts/notes.tsx';
import { Select } from '../parts/select.tsx';
import { loggedIn, user } from '../session.ts';

/** Why the single sign-on sent its user back, once: a reload is no second failure. */
function takeLoginError(): ApiError | undefined {
  const here = new URL(location.href);
  const code = here.searchParams.get('login_error');
  if (!code) return undefined;
  here.searchParams.delete('login_error');
  history.replaceState(history.state, '', here);
  return new ApiError(/^oidc_[a-z_]+$/.test(code) ? code : 'unknown', 0, '');
}

/**
 * Logging in, over whatever is on screen: alone when nobody has been logged in yet, and as a veil over the page when a
 * session has ended, so that the page and what was typed into it stay.
 */
export function Login(): JSX.Element {
  const first = user() === null;
  const titleId = createUniqueId();
  let dialog!: HTMLDialogElement;

  onMount(() => dialog.showModal());
  const failed = takeLoginError();
  // Without an answer there is the form, which tells of it.
  const [oidc] = createResource(() => api.oidc().catch(() => ({ button: null })));

  const login = createAct(async (fields: FormData) =>
    loggedIn(
      await api.login(
        String(fields.get('email')).trim(),
        String(fields.get('password')),
        String(fields.get('code') ?? '').trim(),
      ),
    ),
  );

  /** Once it was asked for it stays, for a code that was wrong, too. */
  const wantsCode = createMemo<boolean>((before) => {
    const error = login.error();
    return before || (error instanceof ApiError && error.code === 'totp_required');
  }, false);
  const problem = () => {
    const error = login.error() ?? failed;
    return error instanceof ApiError && error.code === 'totp_required' ? undefined : error;
  };

  return (
    <dialog
      ref={dialog}
      class="login"
      classList={{ whole: first }}
      aria-labelledby={titleId}
      // Escape must not close it: the requests beneath wait for a session.
      onKeyDown={(event) => event.key === 'Escape' && event.preventDefault()}
      onCancel={(event) => event.preventDefault()}
      data-testid="login"
    >
      <Show when={first}>
        <p class="mark">
          <Mark />
        </p>
      </Show>
      <h1 id={titleId}>{first ? t('login.title') : t('login.again')}</h1>
      <p class="soft">{first ? t('login.lead') : t('login.againLead')}</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void login.run(new FormData(event.currentTarget));
        }}
      >
        <Problem error={problem()} />
        <div class="field">
          <label for="login-email">{t('login.email')}</label>
          <input
            id="login-email"
            name="email"
            type="email"
            class="input"
            autocomplete="username"
            required
            autofocus
            value={user()?.email ?? ''}
          />
        </div>
        <div class="field">
          <label for="login-password">{t('login.password')}</label>
          <input
            id="login-password"
            name="password"
            type="password"
            class="input"
            autocomplete="current-password"
            required
          />
        </div>
        <Show when={wantsCode()}>
          <div class="field">
            <label for="login-code">{t('totp.code')}</label>
            <input
              id="login-code"
              name="code"
              class="input"
              autocomplete="one-time-code"
              maxLength={64}
              required
              ref={(field) => queueMicrotask(() => field.focus())}
              aria-describedby="login-code-hint"
            />
            <p class="hint" id="login-code-hint">
              {t('totp.loginHint')}
            </p>
          </div>
        </Show>
        <button type="submit" class="button primary" disabled={login.busy()}>
          {t('login.submit')}
        </button>
      </form>
      <Show when={oidc()?.button}>
        {(label) => (
          <a
            class="button"
            href={`/api/oidc/login?return_to=${encodeURIComponent(location.pathname + location.search)}`}
            // Not one of the console's pages.
            target="_self"
            rel="external"
          >
            {label()}
          </a>
        )}
      </Show>
      <Show when={first}>
        <Select
          label={t('shell.language')}
          options={Object.entries(languages).map(([value, label]) => ({ value, label }))}
          value={language()}
          onChange={(value) => setLanguage(value as Language)}
        />
      </Show>
    </dialog>
  );
}
