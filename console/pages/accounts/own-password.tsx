import type { JSX } from 'solid-js';
import { api } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { PasswordField } from '../../parts/password-field.tsx';
import { user } from '../../session.ts';

/** One's own password, whatever one's role: the present one is asked for, and other sessions end. */
export default function OwnPassword(props: { onClose: () => void }): JSX.Element {
  const change = (fields: FormData) =>
    api.changePassword(String(fields.get('currentPassword')), String(fields.get('newPassword')));
  return (
    <FormDialog title={t('password.title')} act={change} actLabel={t('common.save')} onClose={props.onClose}>
      {/* For password managers, which keep a password by the name that is in its form. */}
      <input type="hidden" name="username" autocomplete="username" value={user()?.email ?? ''} />
      <PasswordField name="currentPassword" label={t('password.current')} present required />
      <PasswordField name="newPassword" label={t('password.new')} hint={t('password.hint')} required />
    </FormDialog>
  );
}
