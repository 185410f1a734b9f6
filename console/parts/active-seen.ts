import { useLocation } from '@solidjs/router';
import { createEffect, on } from 'solid-js';
import { user } from '../session.ts';

/** Where links are wider than the window, the one to the page that is open is scrolled to. */
export function useActiveSeen(nav: () => HTMLElement): void {
  const location = useLocation();
  createEffect(
    on([() => location.pathname, user], () =>
      nav().querySelector('.active')?.scrollIntoView({ block: 'nearest', inline: 'center' }),
    ),
  );
}
