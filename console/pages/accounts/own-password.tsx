import { createUniqueId, type JSX } from 'solid-js';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { user } from '../../session.ts';

function SecretField(props: {
  name: string;
  label: string;
  autocomplete: string;
  hint?: string;
  least: number;
}) {
  const id = createUniqueId();
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      <input
        id={id}
        name={props.name}
        class="input"
        type="password"
        autocomplete={props.autocomplete as 'new-password'}
        minLength={props.least}
        maxLength={1024}
        required
        aria-describedby={`${id}-hint`}
      />
      <p class="hint" id={`${id}-hint`}>
        {props.hint}
      </p>
    </div>
  );
}

/** One's own password, whatever one's role: the present one is asked for, and other sessions end. */
export default function OwnPassword(props: { onClose: () => void }): JSX.Element {
  const change = (fields: FormData) =>
    api.changePassword(String(fields.get('currentPassword')), String(fields.get('newPassword')));
  return (
    <FormDialog title={t('password.title')} act={change} actLabel={t('common.save')} onClose={props.onClose}>
      {/* For password managers, which keep a password by the name that is in its form. */}
      <input type="hidden" name="username" autocomplete="username" value={user()?.email ?? ''} />
      <SecretField
        name="currentPassword"
        label={t('password.current')}
        autocomplete="current-password"
        least={1}
      />
      <SecretField
        name="newPassword"
        label={t('password.new')}
        autocomplete="new-password"
        hint={t('password.hint')}
        least={8}
      />
    </FormDialog>
  );
}
