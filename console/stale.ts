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

/** Offline a reload would end in the browser's own page about it. */
async function isReachable(): Promise<boolean> {
  const response = await fetch('/', { method: 'HEAD', cache: 'no-store' }).catch(() => null);
  return response?.ok ?? false;
}

/** For a page whose files could not be fetched: nothing else brings them again. */
export async function reloadWhenReachable(): Promise<void> {
  if (await isReachable()) location.reload();
}

/** The same without being asked, once the server is heard again. */
export async function reloadOnReturn(): Promise<void> {
  if (mayReload()) await reloadWhenReachable();
}

/**
 * A tab that was open while the console was upgraded asks for files that are gone, as Vite tells by `vite:preloadError`: the new
 * console is loaded, where the way was to lead. Without a network the page itself says so (`Shell`).
 */
export function useReloadWhenStale(): void {
  let goingTo: string | null = null;
  useBeforeLeave(({ to }) => {
    goingTo = typeof to === 'string' ? to : null;
  });
  const load = async () => {
    if (!(await isReachable()) || !mayReload()) return;
    if (goingTo === null) location.reload();
    else location.assign(goingTo);
  };
  window.addEventListener('vite:preloadError', load);
  onCleanup(() => window.removeEventListener('vite:preloadError', load));
}
