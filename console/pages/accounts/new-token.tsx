import { createSignal, type JSX, Show } from 'solid-js';
import { type ApiToken, adminApi } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { Boxes } from '../../parts/boxes.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { SecretShown } from '../../parts/secret-shown.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import type { Role } from '../../session.ts';
import { ReachField, reachOf } from './reach-field.tsx';
import { RoleField } from './role-field.tsx';

const lifetimes = [30, 90, 365];
const dayMs = 86_400_000;
type Scope = NonNullable<ApiToken['scopes']>[number];
const scopes: Scope[] = [
  'read',
  ...(
    ['devices', 'deployments', 'firmware', 'certificates', 'notifications', 'accounts', 'system'] as const
  ).flatMap((area): Scope[] => [`${area}:read`, `${area}:write`]),
];
/** None ticked: whatever its role may do. */
const scopesOf = (fields: FormData) => {
  const ticked = fields.getAll('scopes') as Scope[];
  return ticked.length > 0 ? ticked : null;
};

/** Makes an API token and shows its secret, this once. */
export function NewToken(props: { onClose: () => void }): JSX.Element {
  const [secret, setSecret] = createSignal<string>();
  const [days, setDays] = createSignal('90');
  const create = async (fields: FormData) => {
    const made = await adminApi.createApiToken({
      name: String(fields.get('name')).trim(),
      role: fields.get('role') as Role,
      reach: reachOf(fields),
      scopes: scopesOf(fields),
      expiresAt: days() ? new Date(Date.now() + Number(days()) * dayMs).toISOString() : null,
    });
    setSecret(made.secret);
  };
  return (
    <Show
      when={secret()}
      fallback={
        <FormDialog
          title={t('tokens.add')}
          act={create}
          actLabel={t('tokens.create')}
          onClose={() => secret() || props.onClose()}
        >
          <TextField
            name="name"
            label={t('tokens.name')}
            hint={t('tokens.nameHint')}
            maxLength={100}
            required
          />
          <RoleField value="operator" />
          <ReachField value={null} />
          <Boxes
            legend={t('tokens.scopes')}
            name="scopes"
            options={scopes.map((one) => ({ value: one, label: one }))}
            chosen={[]}
          />
          <p class="hint">{t('tokens.scopesHint')}</p>
          <SelectField
            name="days"
            label={t('tokens.expires')}
            all={t('common.never')}
            options={lifetimes.map((n) => ({ value: String(n), label: t('tokens.days', { n }) }))}
            value={days()}
            onChange={setDays}
          />
        </FormDialog>
      }
    >
      {(text) => (
        <SecretShown
          title={t('tokens.made')}
          note={t('tokens.once')}
          secret={text()}
          onClose={props.onClose}
        />
      )}
    </Show>
  );
}
