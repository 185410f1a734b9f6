import { A, type RouteSectionProps, useLocation } from '@solidjs/router';
import {
  createEffect,
  createSignal,
  ErrorBoundary,
  For,
  type JSX,
  lazy,
  on,
  onCleanup,
  onMount,
  Show,
  Suspense,
} from 'solid-js';
import { api } from './api.ts';
import { formatTime } from './format.ts';
import { ApiError } from './http.ts';
import { type Language, language, languages, setLanguage, t } from './i18n/i18n.ts';
import { heardAtMs, liveStatus, startLive } from './live.ts';
import { Login } from './pages/login.tsx';
import { useActiveSeen } from './parts/active-seen.ts';
import { FailedLoginsNote } from './parts/failed-logins.tsx';
import { glyphs } from './parts/glyphs.ts';
import { Mark } from './parts/mark.tsx';
import { Loading, Problem } from './parts/notes.tsx';
import { Glyph } from './parts/state.tsx';
import { useScrollMemory } from './scroll.ts';
import { SearchButton } from './search/search-button.tsx';
import { loginWanted, may, setUser, user } from './session.ts';
import { reloadOnReturn, reloadWhenReachable, useReloadWhenStale } from './stale.ts';

const statusGlyphs = {
  open: 'M6 3.5a2.5 2.5 0 1 0 0 5a2.5 2.5 0 1 0 0-5',
  connecting: glyphs.dots,
  lost: glyphs.cross,
};

function LiveMark(): JSX.Element {
  const [onLine, setOnLine] = createSignal(navigator.onLine);
  const look = () => setOnLine(navigator.onLine);
  for (const event of ['online', 'offline']) {
    window.addEventListener(event, look);
    onCleanup(() => window.removeEventListener(event, look));
  }
  const status = () => (onLine() ? liveStatus() : 'lost');
  const word = () => {
    if (status() !== 'lost') return t(`live.${status() as 'open' | 'connecting'}`);
    const time = formatTime(language(), new Date(heardAtMs()).toISOString());
    return t(onLine() ? 'live.lost' : 'live.offline', { time });
  };
  return (
    <span class={`state ${status() === 'lost' ? 'tone-bad' : 'tone-good'}`} role="status">
      <Glyph path={statusGlyphs[status()]} filled={status() === 'open'} />
      <span class="word small">{word()}</span>
    </span>
  );
}

const OwnPassword = lazy(() => import('./pages/accounts/own-password.tsx'));

function TopEnd(): JSX.Element {
  const [changing, setChanging] = createSignal(false);
  const logout = async () => {
    await api.logout().catch(() => {});
    // A whole reload drops everything that the last user could see.
    location.assign('/');
  };
  return (
    <div class="top-end">
      <Show when={user()}>
        <LiveMark />
        <SearchButton />
      </Show>
      <select
        aria-label={t('shell.language')}
        value={language()}
        onChange={(event) => setLanguage(event.currentTarget.value as Language)}
      >
        <For each={Object.entries(languages)}>
          {([tag, name]) => (
            <option value={tag} lang={tag}>
              {name}
            </option>
          )}
        </For>
      </select>
      <Show when={user()}>
        {(who) => (
          <>
            <button type="button" class="who" title={t('password.title')} onClick={() => setChanging(true)}>
              {who().email}
            </button>
            <button type="button" onClick={logout}>
              {t('shell.logout')}
            </button>
          </>
        )}
      </Show>
      <Show when={changing()}>
        <Suspense>
          <OwnPassword onClose={() => setChanging(false)} />
        </Suspense>
      </Show>
    </div>
  );
}

/** A page whose files did not come. Vite and the browsers have no code for that, only words of their own. */
function PageProblem(props: { error: unknown; leave: () => void }): JSX.Element {
  const location = useLocation();
  createEffect(on(() => location.pathname, props.leave, { defer: true }));
  const isFetch = () => props.error instanceof TypeError && /import|fetch|module/i.test(props.error.message);
  createEffect(
    on(liveStatus, (status) => status === 'open' && isFetch() && void reloadOnReturn(), { defer: true }),
  );
  return (
    <Problem
      error={isFetch() ? new ApiError('unreachable', 0, '') : props.error}
      retry={() => void reloadWhenReachable()}
    />
  );
}

/** What surrounds every page: navigation, connection, language, account, and the login when one is needed. */
export function Shell(props: RouteSectionProps): JSX.Element {
  const location = useLocation();
  useScrollMemory();
  useReloadWhenStale();
  let main!: HTMLElement;
  let nav!: HTMLElement;

  // When the server cannot be reached at first, the pages say so; the stream's first opening makes good for it.
  const recallUser = () => api.me().then(setUser, () => {});
  onMount(() => recallUser().then(startLive));
  createEffect(() => {
    if (liveStatus() === 'open' && !user()) void recallUser();
  });
  createEffect(() => {
    document.documentElement.lang = language();
  });
  useActiveSeen(() => nav);
  // Keyboard and screen-reader users land in the new page, not on the link they left.
  createEffect(
    on(
      () => location.pathname,
      () => main.focus({ preventScroll: true }),
      { defer: true },
    ),
  );

  return (
    <>
      <button type="button" class="skip" onClick={() => main.focus()}>
        {t('nav.skip')}
      </button>
      <header class="top">
        <div class="top-row">
          <A class="mark" href="/" activeClass="" inactiveClass="">
            <Mark />
          </A>
          <nav class="nav" aria-label={t('nav.label')} ref={nav}>
            <A href="/" end>
              {t('nav.overview')}
            </A>
            <A href="/firmware">{t('nav.firmware')}</A>
            <A href="/deployments">{t('nav.deployments')}</A>
            <A href="/devices">{t('nav.devices')}</A>
            <A href="/certificates">{t('nav.certificates')}</A>
            <A href="/system">{t('nav.system')}</A>
            <Show when={user()?.show && may('admin')}>
              <A href="/show">{t('nav.show')}</A>
            </Show>
          </nav>
          <TopEnd />
        </div>
      </header>
      <main id="main" tabindex="-1" ref={main}>
        <FailedLoginsNote />
        <ErrorBoundary fallback={(error, reset) => <PageProblem error={error} leave={reset} />}>
          <Suspense fallback={<Loading />}>{props.children}</Suspense>
        </ErrorBoundary>
      </main>
      <Show when={loginWanted()}>
        <Login />
      </Show>
    </>
  );
}
