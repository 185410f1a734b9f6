import { A, type RouteSectionProps, useLocation } from '@solidjs/router';
import { createEffect, ErrorBoundary, type JSX, on, onMount, Show, Suspense } from 'solid-js';
import { api } from './api.ts';
import { ApiError } from './http.ts';
import { language, t } from './i18n/i18n.ts';
import { liveStatus, startLive } from './live.ts';
import { Navigation } from './navigation.tsx';
import { Login } from './pages/login.tsx';
import { FailedLoginsNote } from './parts/failed-logins.tsx';
import { Mark } from './parts/mark.tsx';
import { Loading, Problem } from './parts/notes.tsx';
import { useScrollMemory } from './scroll.ts';
import { loginWanted, setUser, user } from './session.ts';
import { reloadOnReturn, reloadWhenReachable, useReloadWhenStale } from './stale.ts';
import { TopEnd } from './top-end.tsx';

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

  // When the server cannot be reached at first, the pages say so; the stream's first opening makes good for it.
  const recallUser = () => api.me().then(setUser, () => {});
  onMount(() => recallUser().then(startLive));
  createEffect(() => {
    if (liveStatus() === 'open' && !user()) void recallUser();
  });
  createEffect(() => {
    document.documentElement.lang = language();
  });
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
          <Navigation />
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
