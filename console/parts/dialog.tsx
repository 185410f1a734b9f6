import { createUniqueId, type JSX } from 'solid-js';

/**
 * A modal dialog with a title. Opens when it is mounted; `onClose` is the time to unmount it. One that is `held` cannot be
 * closed by Escape. Children get the way to close it.
 */
export function Dialog(props: {
  title: string;
  onClose: () => void;
  held?: boolean;
  wide?: boolean;
  children: (close: () => void) => JSX.Element;
}): JSX.Element {
  const titleId = createUniqueId();
  let dialog!: HTMLDialogElement;
  return (
    <dialog
      ref={(element) => {
        dialog = element;
        queueMicrotask(() => dialog.showModal());
      }}
      classList={{ broad: props.wide }}
      aria-labelledby={titleId}
      onCancel={(event) => props.held && event.preventDefault()}
      onClose={() => props.onClose()}
    >
      <h2 id={titleId}>{props.title}</h2>
      {props.children(() => dialog.close())}
    </dialog>
  );
}
