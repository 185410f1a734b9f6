import { useBeforeLeave } from '@solidjs/router';
import { onCleanup } from 'solid-js';

const storageKey = 'flota.reloadedAt';
/** A reload that did not help is not repeated before this. */
const againMs = 30_000;

function mayReload(): boolean {
  const now = Date.now();
  try {
    if (now - Number(sessionStorage.getItem(storageKey) ?? 0) < againMs) return false;
    sessionStorage.setItem(storageKey, String(now));
    return true;
  } catch {
    // Without storage nothing would end a circle of reloads.
    return false;
  }
}

/**
 * A tab that was open while the console was upgraded asks for files that are gone, as Vite tells by `vite:preloadError`: the new
 * console is loaded, where the way was to lead.
 */
export function useReloadWhenStale(): void {
  let goingTo: string | null = null;
  useBeforeLeave(({ to }) => {
    goingTo = typeof to === 'string' ? to : null;
  });
  const load = () => {
    if (!mayReload()) return;
    if (goingTo === null) location.reload();
    else location.assign(goingTo);
  };
  window.addEventListener('vite:preloadError', load);
  onCleanup(() => window.removeEventListener('vite:preloadError', load));
}
