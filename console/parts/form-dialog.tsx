import { createSignal, type JSX, Show } from 'solid-js';
import { createAct } from '../act.ts';
import { ApiError } from '../http.ts';
import { t } from '../i18n/i18n.ts';
import { Dialog } from './dialog.tsx';
import { Problem } from './notes.tsx';

const isChanged = (error: unknown) => error instanceof ApiError && error.code === 'changed_meanwhile';

/**
 * A dialog around a form. `act` gets its fields; when it has succeeded the dialog closes, when it fails the dialog stays and
 * shows why. A dangerous one puts the focus on the way out.
 */
export function FormDialog(props: {
  title: string;
  lead?: JSX.Element;
  /** What it changes: `act` is given its revision as it was when the dialog opened, whatever has come since. */
  of?: { revision: number } | undefined;
  act: (fields: FormData, seen: number) => Promise<unknown>;
  actLabel: string;
  keepLabel?: string;
  danger?: boolean;
  /** False while something is missing. */
  ready?: boolean;
  wide?: boolean;
  onClose: () => void;
  children?: JSX.Element;
}): JSX.Element {
  const seen = props.of?.revision ?? 0;
  const [typed, setTyped] = createSignal(false);
  const act = createAct(async (fields: FormData, close: () => void) => {
    setTyped([...fields.keys()].length > 0);
    await props.act(fields, seen);
    close();
  });
  return (
    <Dialog title={props.title} onClose={props.onClose} wide={props.wide ?? false}>
      {(close) => (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void act.run(new FormData(event.currentTarget), close);
          }}
        >
          <Show when={props.lead}>
            <p class="soft">{props.lead}</p>
          </Show>
          <Problem error={act.error()} />
          <Show when={typed() && isChanged(act.error())}>
            <p>{t('form.kept')}</p>
          </Show>
          {props.children}
          <div class="actions">
            <button type="button" class="button" autofocus={props.danger} onClick={close}>
              {props.keepLabel ?? t('common.cancel')}
            </button>
            <button
              type="submit"
              class={`button ${props.danger ? 'danger' : 'primary'}`}
              disabled={act.busy() || props.ready === false}
            >
              {props.actLabel}
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
