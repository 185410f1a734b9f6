import { createSignal, type JSX, Show } from 'solid-js';
import { type ApiToken, adminApi } from '../../admin-api.ts';
import { api, type NewOwnToken } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { Boxes } from '../../parts/boxes.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { SecretShown } from '../../parts/secret-shown.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { type Role, user } from '../../session.ts';
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
/** A token in one's own name manages no accounts: it could make itself another. */
const ownScopes = scopes.filter((one) => one !== 'accounts:write');
/** None ticked: whatever its role may do. */
const scopesOf = (fields: FormData) => {
  const ticked = fields.getAll('scopes') as Scope[];
  return ticked.length > 0 ? ticked : null;
};

/** Makes an API token, for a machine or (`own`) in one's own name, and shows its secret, this once. */
export function NewToken(props: { own?: true; onClose: () => void }): JSX.Element {
  const [secret, setSecret] = createSignal<string>();
  const [days, setDays] = createSignal('90');
  const create = async (fields: FormData) => {
    const asked = {
      name: String(fields.get('name')).trim(),
      role: fields.get('role') as Role,
      scopes: scopesOf(fields),
    };
    const expiresAt = days() ? new Date(Date.now() + Number(days()) * dayMs).toISOString() : null;
    const made = props.own
      ? await api.createOwnToken({ ...asked, expiresAt: expiresAt! } as NewOwnToken)
      : await adminApi.createApiToken({ ...asked, reach: reachOf(fields), expiresAt });
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
          <Show
            when={props.own}
            fallback={
              <>
                <RoleField value="operator" />
                <ReachField value={null} />
              </>
            }
          >
            <RoleField value={user()!.role as Role} most={user()!.role as Role} />
          </Show>
          <Boxes
            legend={t('tokens.scopes')}
            name="scopes"
            options={(props.own ? ownScopes : scopes).map((one) => ({ value: one, label: one }))}
            chosen={[]}
          />
          <p class="hint">{t('tokens.scopesHint')}</p>
          <SelectField
            name="days"
            label={t('tokens.expires')}
            {...(!props.own && { all: t('common.never') })}
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
