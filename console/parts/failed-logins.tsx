import { type JSX, Show } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { dismissFailedLogins, failedLogins } from '../session.ts';
import { glyphs } from './glyphs.ts';
import { Glyph } from './state.tsx';

/** That somebody has tried this account's password, told once after a login. */
export function FailedLoginsNote(): JSX.Element {
  return (
    <Show when={failedLogins()}>
      {(failed) => (
        <div class="problem" role="alert" data-testid="failed-logins">
          <Glyph path={glyphs.cross} />
          <p>
            <strong>{t('login.failedBefore', { n: failed().count })}</strong>{' '}
            {t('login.failedFrom', { networks: failed().networks.join(', ') })}{' '}
            <span class="soft">{t('login.failedAdvice')}</span>
          </p>
          <button type="button" class="button" onClick={dismissFailedLogins}>
            {t('login.failedDismiss')}
          </button>
        </div>
      )}
    </Show>
  );
}
