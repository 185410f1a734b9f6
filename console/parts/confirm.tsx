import { createSignal, createUniqueId, type JSX } from 'solid-js';
import { Problem } from './notes.tsx';

/**
 * Asks once before something that cannot be undone. The children say what will happen. `act` may fail: the dialog then
 * stays and shows why. Opens when it is mounted; `onClose` is the time to unmount it.
 */
export function Confirm(props: {
  title: string;
  act: () => Promise<unknown>;
  actLabel: string;
  keepLabel: string;
  onClose: () => void;
  children: JSX.Element;
}): JSX.Element {
  const [busy, setBusy] = createSignal(false);
  const [error, setError] = createSignal<unknown>();
  const titleId = createUniqueId();
  let dialog!: HTMLDialogElement;

  const act = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await props.act();
      dialog.close();
    } catch (cause) {
      setError(cause);
    } finally {
      setBusy(false);
    }
  };

  return (
    <dialog
      ref={(element) => {
        dialog = element;
        queueMicrotask(() => dialog.showModal());
      }}
      aria-labelledby={titleId}
      onClose={() => props.onClose()}
    >
      <h2 id={titleId}>{props.title}</h2>
      <Problem error={error()} />
      {props.children}
      <div class="actions">
        <button type="button" class="button" autofocus onClick={() => dialog.close()}>
          {props.keepLabel}
        </button>
        <button type="button" class="button danger" disabled={busy()} onClick={act}>
          {props.actLabel}
        </button>
      </div>
    </dialog>
  );
}
