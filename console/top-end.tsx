import { createSignal, type JSX, lazy, onCleanup, onMount, Show, Suspense } from 'solid-js';
import { formatTime } from './format.ts';
import { language, t } from './i18n/i18n.ts';
import { heardAtMs, liveStatus } from './live.ts';
import { logOut } from './log-out.ts';
import { glyphs } from './parts/glyphs.ts';
import { Glyph } from './parts/state.tsx';
import { SearchButton } from './search/search-button.tsx';
import { user } from './session.ts';
import { openPart, openSettings } from './settings.ts';

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

const Settings = lazy(() => import('./pages/settings.tsx'));
const Bell = lazy(() => import('./bell.tsx'));
/** The page itself comes first. */
const bellAfterMs = 2_000;

export function TopEnd(): JSX.Element {
  const [settled, setSettled] = createSignal(false);
  onMount(() => {
    const timer = setTimeout(() => setSettled(true), bellAfterMs);
    onCleanup(() => clearTimeout(timer));
  });
  return (
    <div class="top-end">
      <Show when={user()}>
        {(who) => (
          <>
            <LiveMark />
            <Show when={settled()}>
              <Suspense>
                <Bell />
              </Suspense>
            </Show>
            <SearchButton />
            <button
              type="button"
              class="who"
              aria-label={`${t('settings.title')}: ${who().email}`}
              title={t('settings.title')}
              onClick={() => openSettings('all')}
            >
              <Glyph path={glyphs.sliders} />
              <span class="email">{who().email}</span>
              <span class="short">{t('settings.title')}</span>
            </button>
            <button type="button" class="out" onClick={logOut}>
              {t('shell.logout')}
            </button>
          </>
        )}
      </Show>
      <Show when={openPart()}>
        {(part) => (
          <Suspense>
            <Settings begin={part()} onClose={() => openSettings(undefined)} />
          </Suspense>
        )}
      </Show>
    </div>
  );
}
