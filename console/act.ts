import { createSignal } from 'solid-js';

/** Something that is done at a press: while it runs it is `busy` and not begun again; a failure is kept in `error`. */
export function createAct<Args extends unknown[]>(act: (...args: Args) => Promise<unknown>) {
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal<unknown>();
  const run = async (...args: Args): Promise<void> => {
    if (busy()) return;
    setBusy(true);
    setError(undefined);
    try {
      await act(...args);
    } catch (cause) {
      setError(cause);
    } finally {
      setBusy(false);
    }
  };
  return { run, busy, error };
}
