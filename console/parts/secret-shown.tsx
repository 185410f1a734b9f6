import type { JSX } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { Dialog } from './dialog.tsx';
import { Copied } from './digest.tsx';

/** A secret that the server tells this once. */
export function SecretShown(props: {
  title: string;
  note: string;
  secret: string;
  onClose: () => void;
}): JSX.Element {
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      {(close) => (
        <>
          <p class="prose">{props.note}</p>
          <p>
            <code class="digest" data-testid="secret">
              {props.secret}
            </code>{' '}
            <Copied text={props.secret} />
          </p>
          <div class="actions">
            <button type="button" class="button primary" onClick={close}>
              {t('token.close')}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}
