import { createEffect, createSignal, onCleanup } from 'solid-js';

const settleMs = 200;

/** A value that follows another once that has rested, so that not every key press asks the server. */
export function createSettled<T>(source: () => T): () => T {
  const [settled, setSettled] = createSignal(source());
  createEffect(() => {
    const value = source();
    const timer = setTimeout(() => setSettled(() => value), settleMs);
    onCleanup(() => clearTimeout(timer));
  });
  return settled;
}
