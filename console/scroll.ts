import { useLocation } from '@solidjs/router';
import { createEffect, on, onCleanup, onMount } from 'solid-js';

const storageKey = 'flota.scroll';
/** A page that has not grown long enough by then has become shorter. */
const patienceMs = 5_000;
/** What a person does to scroll elsewhere. */
const takingOver = ['wheel', 'touchmove', 'keydown', 'pointerdown'] as const;

const isFound = (positions: unknown): positions is Record<string, number> =>
  typeof positions === 'object' && positions !== null;

function recall(): Record<string, number> {
  try {
    const found: unknown = JSON.parse(sessionStorage.getItem(storageKey) ?? '{}');
    return isFound(found) ? found : {};
  } catch {
    return {};
  }
}

function remember(positions: Record<string, number>): void {
  try {
    sessionStorage.setItem(storageKey, JSON.stringify(positions));
  } catch {
    // Storage may be forbidden or full; a reload then begins at the top.
  }
}

/** The step of the way that the browser is at; the router numbers them. */
const step = () =>
  `${(history.state as { _depth?: number } | null)?._depth ?? 0} ${location.pathname}${location.search}`;

/**
 * Whoever goes back (or forward, or reloads) finds the page scrolled as it was left. Neither the browser nor the router waits
 * for rows that are fetched: the window is scrolled as soon as the page has become long enough, unless somebody scrolls first.
 */
export function useScrollMemory(): void {
  const place = useLocation();
  const positions = recall();
  let wanted: number | null = null;
  let until = 0;

  const seek = () => {
    wanted = positions[step()] ?? 0;
    until = performance.now() + patienceMs;
  };
  const settle = () => {
    if (wanted === null) return;
    const y = wanted;
    window.scrollTo({ top: y });
    if (Math.abs(window.scrollY - y) < 2 || performance.now() > until) wanted = null;
  };
  const giveUp = () => {
    wanted = null;
  };

  onMount(() => {
    history.scrollRestoration = 'manual';
    const arrival = performance.getEntriesByType('navigation')[0] as PerformanceNavigationTiming | undefined;
    if (arrival && arrival.type !== 'navigate') seek();
    const ending = new AbortController();
    const { signal } = ending;
    window.addEventListener('popstate', seek, { signal });
    window.addEventListener(
      'scroll',
      () => {
        if (wanted === null) positions[step()] = window.scrollY;
      },
      { passive: true, signal },
    );
    window.addEventListener('pagehide', () => remember(positions), { signal });
    for (const type of takingOver) window.addEventListener(type, giveUp, { passive: true, signal });
    const growth = new ResizeObserver(settle);
    growth.observe(document.body);
    onCleanup(() => {
      ending.abort();
      growth.disconnect();
    });
  });
  // In the next frame the router has told the browser of the step.
  const arrive = () => {
    settle();
    if (wanted === null) positions[step()] = window.scrollY;
  };
  createEffect(
    on(
      () => place.pathname + place.search,
      () => requestAnimationFrame(arrive),
      { defer: true },
    ),
  );
}
