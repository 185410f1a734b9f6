import { createSignal, type JSX, Show } from 'solid-js';
import { api, type NewToken, type Token } from '../../api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { Dialog } from '../../parts/dialog.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { OnceToken } from '../../parts/once-token.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';

const profiles = ['device', 'broker', 'service'] as const satisfies NewToken['profile'][];
type Profile = (typeof profiles)[number];

/** Issues a one-time token and shows it, this once. */
export function TokenDialog(props: { onClose: () => void }): JSX.Element {
  const [token, setToken] = createSignal<Token>();
  const [profile, setProfile] = createSignal<Profile>('device');
  const create = async (fields: FormData) => {
    const names = String(fields.get('names') ?? '');
    const issued = await api.createToken({
      profile: profile(),
      commonName: String(fields.get('commonName')).trim(),
      names: names.split(/[\s,]+/).filter(Boolean),
    });
    setToken(issued);
  };
  return (
    <Show
      when={token()}
      fallback={
        <FormDialog
          title={t('token.title')}
          lead={t('token.lead')}
          act={create}
          actLabel={t('token.create')}
          onClose={() => token() || props.onClose()}
        >
          <SelectField
            name="profile"
            label={t('certificates.profile')}
            options={profiles.map((one) => ({ value: one, label: tMaybe(`certProfile.${one}`) ?? one }))}
            value={profile()}
            onChange={(value) => setProfile(value as Profile)}
          />
          <TextField
            name="commonName"
            label={t('token.name')}
            hint={t('token.nameHint')}
            maxLength={64}
            required
          />
          <Show when={profile() !== 'device'}>
            <TextField name="names" label={t('token.names')} hint={t('token.namesHint')} />
          </Show>
        </FormDialog>
      }
    >
      {(issued) => (
        <Dialog title={t('token.title')} onClose={props.onClose}>
          {(close) => <OnceToken {...issued()} onClose={close} />}
        </Dialog>
      )}
    </Show>
  );
}
