import { createSignal, type JSX } from 'solid-js';
import { t } from '../../i18n/i18n.ts';
import { SelectField } from '../../parts/select-field.tsx';
import type { Role } from '../../session.ts';

const roles: Role[] = ['viewer', 'operator', 'admin'];

/** A role, and what may be done with it; of all, or up to one. */
export function RoleField(props: { value: Role; most?: Role }): JSX.Element {
  const [role, setRole] = createSignal<Role>(props.value);
  return (
    <div>
      <SelectField
        name="role"
        label={t('users.role')}
        options={roles
          .slice(0, roles.indexOf(props.most ?? 'admin') + 1)
          .map((one) => ({ value: one, label: t(`role.${one}`) }))}
        value={role()}
        onChange={(value) => setRole(value as Role)}
      />
      <p class="hint" aria-live="polite">
        {t(`users.may.${role()}`)}
      </p>
    </div>
  );
}
