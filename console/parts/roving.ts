import { onCleanup, onMount } from 'solid-js';

const steps: Record<string, number> = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

/**
 * One stop of the keyboard for a whole group of controls: arrows, Home and End go on inside it. The stop is the control that
 * was last used. `list` holds nothing else that takes the focus.
 */
export function useRoving(list: () => HTMLElement): void {
  onMount(() => {
    const root = list();
    const controls = () => [...root.querySelectorAll<HTMLElement>('input, button')];
    const stopAt = (chosen: HTMLElement | undefined) => {
      for (const one of controls()) one.tabIndex = one === chosen ? 0 : -1;
    };
    // Rows come and go; a new one would be a stop of its own.
    const settle = () => {
      const all = controls();
      stopAt(all.find((one) => one.dataset.stop !== undefined) ?? all[0]);
    };
    const keep = (event: FocusEvent) => {
      for (const one of controls()) delete one.dataset.stop;
      const one = event.target as HTMLElement;
      one.dataset.stop = '';
      stopAt(one);
    };
    const move = (event: KeyboardEvent) => {
      const all = controls();
      const at = all.indexOf(event.target as HTMLElement);
      const step = steps[event.key];
      const to = event.key === 'Home' ? 0 : event.key === 'End' ? all.length - 1 : step ? at + step : -1;
      if (at < 0 || !all[to]) return;
      event.preventDefault();
      all[to].focus();
    };
    const watch = new MutationObserver(settle);
    watch.observe(root, { childList: true, subtree: true });
    root.addEventListener('focusin', keep);
    root.addEventListener('keydown', move);
    settle();
    onCleanup(() => watch.disconnect());
  });
}
