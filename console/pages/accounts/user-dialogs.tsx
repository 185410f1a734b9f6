import type { JSX } from 'solid-js';
import { type Account, adminApi } from '../../admin-api.ts';
import { asSeen } from '../../as-seen.ts';
import { t } from '../../i18n/i18n.ts';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { PasswordField } from '../../parts/password-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { type Reach, type Role, user } from '../../session.ts';
import { ReachField, reachOf } from './reach-field.tsx';
import { RoleField } from './role-field.tsx';

const sorted = (reach: Reach | null) =>
  reach && [reach.regions.toSorted(), reach.divisions.toSorted(), reach.query];

export function AddUser(props: { onClose: () => void }): JSX.Element {
  const add = (fields: FormData) =>
    adminApi.createAccount({
      email: String(fields.get('email')).trim(),
      password: String(fields.get('password')),
      role: fields.get('role') as Role,
      reach: reachOf(fields),
    });
  return (
    <FormDialog title={t('users.add')} act={add} actLabel={t('users.addAct')} onClose={props.onClose}>
      <TextField name="email" label={t('login.email')} maxLength={254} required />
      <PasswordField label={t('login.password')} hint={t('users.passwordHint')} required />
      <RoleField value="viewer" />
      <ReachField value={null} />
    </FormDialog>
  );
}

/** Role, reach and password; what is left as it is is not sent. */
export function ChangeUser(props: { who: Account; onClose: () => void }): JSX.Element {
  const who = asSeen(props.who);
  const change = async (fields: FormData, seen: number) => {
    const role = fields.get('role') as Role;
    const password = String(fields.get('password'));
    const reach = reachOf(fields);
    const isSameReach = JSON.stringify(sorted(reach)) === JSON.stringify(sorted(who.reach));
    if (role === who.role && isSameReach && !password) return;
    const changed = {
      ...(role !== who.role && { role }),
      ...(!isSameReach && { reach }),
      ...(password && { password }),
    };
    await adminApi.changeAccount(who.id, changed, seen);
  };
  return (
    <FormDialog
      title={t('users.changeTitle', { email: who.email })}
      of={who}
      act={change}
      actLabel={t('common.save')}
      onClose={props.onClose}
    >
      <RoleField value={who.role} />
      <ReachField value={who.reach} />
      <PasswordField
        label={t('users.newPassword')}
        hint={who.email === user()?.email ? t('users.ownPasswordHint') : t('users.newPasswordHint')}
      />
    </FormDialog>
  );
}
