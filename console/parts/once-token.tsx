import type { JSX } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { Copied } from './digest.tsx';
import { When } from './time.tsx';

/** A secret that is shown once, until when it works, and the way out. */
export function OnceToken(props: { token: string; expiresAt: string; onClose: () => void }): JSX.Element {
  return (
    <>
      <p>
        <code class="digest" data-testid="token">
          {props.token}
        </code>{' '}
        <Copied text={props.token} />
      </p>
      <p class="soft">
        {t('token.once')} <When at={props.expiresAt} />
      </p>
      <div class="actions">
        <button type="button" class="button primary" onClick={() => props.onClose()}>
          {t('token.close')}
        </button>
      </div>
    </>
  );
}
