import { createSignal, type JSX, lazy, Match, Show, Switch } from 'solid-js';
import { type Language, language, languages, setLanguage, t } from '../i18n/i18n.ts';
import { logOut } from '../log-out.ts';
import { Dialog } from '../parts/dialog.tsx';
import { SelectField } from '../parts/select-field.tsx';
import { user } from '../session.ts';
import {
  browserZone,
  type SettingsPart,
  setTheme,
  setTimeZone,
  type Theme,
  theme,
  themes,
  timeZone,
} from '../settings.ts';
import OwnPassword from './accounts/own-password.tsx';

const OwnTokens = lazy(() => import('./accounts/own-tokens.tsx'));
/** With what draws QR codes, which few ever need. */
const SecondFactor = lazy(() => import('./accounts/second-factor.tsx'));

/** What this browser keeps, and one's own password. Everything holds from the moment that it is chosen. */
export default function Settings(props: { begin: SettingsPart; onClose: () => void }): JSX.Element {
  const [changing, setChanging] = createSignal(props.begin === 'all' ? undefined : props.begin);
  const zones = Intl.supportedValuesOf('timeZone').map((zone) => ({ value: zone, label: zone }));
  return (
    <Switch>
      <Match when={changing() === 'password'}>
        <OwnPassword onClose={props.onClose} />
      </Match>
      <Match when={changing() === 'totp'}>
        <SecondFactor onClose={props.onClose} />
      </Match>
      <Match when={changing() === 'tokens'}>
        <OwnTokens onClose={props.onClose} />
      </Match>
      <Match when={!changing()}>
        <Dialog title={t('settings.title')} onClose={() => changing() || props.onClose()}>
          {(close) => (
            <>
              <p class="soft">{user()?.email}</p>
              <div data-testid="settings">
                <SelectField
                  name="language"
                  label={t('shell.language')}
                  options={Object.entries(languages).map(([value, label]) => ({ value, label }))}
                  value={language()}
                  onChange={(value) => setLanguage(value as Language)}
                />
                <SelectField
                  name="theme"
                  label={t('settings.theme')}
                  options={themes.map((value) => ({ value, label: t(`settings.theme.${value}`) }))}
                  value={theme()}
                  onChange={(value) => setTheme(value as Theme)}
                />
                <SelectField
                  name="timeZone"
                  label={t('settings.timeZone')}
                  all={t('settings.browserZone', { zone: browserZone() })}
                  options={zones}
                  value={timeZone() ?? ''}
                  onChange={setTimeZone}
                />
              </div>
              <div class="actions">
                {/* On a phone the bar has no room for it. */}
                <button type="button" class="button out" onClick={logOut}>
                  {t('shell.logout')}
                </button>
                <button type="button" class="button" onClick={() => setChanging('tokens')}>
                  {t('ownTokens.title')}
                </button>
                <Show when={user()?.sso !== true}>
                  <button type="button" class="button" onClick={() => setChanging('totp')}>
                    {t(user()?.totp ? 'totp.offTitle' : 'totp.title')}
                  </button>
                  <button type="button" class="button" onClick={() => setChanging('password')}>
                    {t('password.title')}
                  </button>
                </Show>
                <button type="button" class="button primary" onClick={close}>
                  {t('token.close')}
                </button>
              </div>
            </>
          )}
        </Dialog>
      </Match>
    </Switch>
  );
}
