import { createSignal, For, type JSX, Match, Switch } from 'solid-js';
import { encode } from 'uqr';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { Copied } from '../../parts/digest.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { PasswordField } from '../../parts/password-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { setUser, user } from '../../session.ts';

/** Drawn here: the secret in it goes to nobody else. */
function QrCode(props: { text: string }): JSX.Element {
  const code = () => encode(props.text, { border: 2 });
  const path = () =>
    code()
      .data.flatMap((row, y) => row.flatMap((dark, x) => (dark ? [`M${x} ${y}h1v1h-1z`] : [])))
      .join('');
  return (
    <svg class="qr" viewBox={`0 0 ${code().size} ${code().size}`} role="img" aria-label={t('totp.qr')}>
      <rect width="100%" height="100%" fill="#fff" />
      <path d={path()} fill="#000" shape-rendering="crispEdges" />
    </svg>
  );
}

const Code = (): JSX.Element => (
  <TextField name="code" label={t('totp.code')} hint={t('totp.codeHint')} maxLength={64} required />
);

/** Sets up one's own authenticator: the password, then what it reads and its code, then the recovery codes; or turns it off. */
export default function SecondFactor(props: { onClose: () => void }): JSX.Element {
  const [secret, setSecret] = createSignal<{ secret: string; uri: string }>();
  const [recovery, setRecovery] = createSignal<string[]>();
  const isOn = user()?.totp === true;
  /** A step's dialog closes when it has done its work, and the next one opens in its place. */
  const next = (is: () => unknown) => is() || props.onClose();
  const readUser = async () => setUser(await api.me());
  const begin = async (fields: FormData) => setSecret(await api.beginTotp(String(fields.get('password'))));
  const confirm = async (fields: FormData) => {
    setRecovery((await api.confirmTotp(String(fields.get('code')))).recoveryCodes);
    await readUser();
  };
  const disable = async (fields: FormData) => {
    await api.disableTotp(String(fields.get('password')), String(fields.get('code')));
    await readUser();
  };
  return (
    <Switch>
      <Match when={recovery()}>
        {(codes) => (
          <Dialog title={t('totp.recovery')} onClose={props.onClose} held>
            {(close) => (
              <>
                <p class="prose">{t('totp.recoveryWhat')}</p>
                <ul class="plain" data-testid="recovery-codes">
                  <For each={codes()}>
                    {(code) => (
                      <li>
                        <code>{code}</code>
                      </li>
                    )}
                  </For>
                </ul>
                <p>
                  <Copied text={codes().join('\n')} />
                </p>
                <div class="actions">
                  <button type="button" class="button primary" onClick={close}>
                    {t('totp.kept')}
                  </button>
                </div>
              </>
            )}
          </Dialog>
        )}
      </Match>
      <Match when={isOn}>
        <FormDialog
          danger
          title={t('totp.offTitle')}
          lead={t('totp.offWhat')}
          act={disable}
          actLabel={t('totp.off')}
          onClose={props.onClose}
        >
          <PasswordField label={t('login.password')} present required />
          <Code />
        </FormDialog>
      </Match>
      <Match when={secret()}>
        {(made) => (
          <FormDialog
            title={t('totp.title')}
            lead={t('totp.scan')}
            act={confirm}
            actLabel={t('totp.on')}
            onClose={() => next(recovery)}
          >
            <QrCode text={made().uri} />
            <p class="small">
              {t('totp.byHand')} <code data-testid="totp-secret">{made().secret}</code>
            </p>
            <Code />
          </FormDialog>
        )}
      </Match>
      <Match when={!isOn}>
        <FormDialog
          title={t('totp.title')}
          lead={t('totp.what')}
          act={begin}
          actLabel={t('totp.begin')}
          onClose={() => next(secret)}
        >
          <PasswordField label={t('login.password')} present required />
        </FormDialog>
      </Match>
    </Switch>
  );
}
