import type { JSX } from 'solid-js';
import { FormDialog } from './form-dialog.tsx';

/** Asks once before something that cannot be undone. The children say what will happen. */
export function Confirm(props: {
  title: string;
  of?: { revision: number } | undefined;
  act: (seen: number) => Promise<unknown>;
  actLabel: string;
  keepLabel: string;
  onClose: () => void;
  children: JSX.Element;
}): JSX.Element {
  return (
    <FormDialog
      danger
      title={props.title}
      of={props.of}
      act={(_, seen) => props.act(seen)}
      actLabel={props.actLabel}
      keepLabel={props.keepLabel}
      onClose={props.onClose}
    >
      {props.children}
    </FormDialog>
  );
}
