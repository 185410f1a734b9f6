import { createSignal, type JSX, Show } from 'solid-js';
import { adminApi, type NotificationChannel } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { Confirm } from '../../parts/confirm.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { SecretShown } from '../../parts/secret-shown.tsx';
import { SelectField } from '../../parts/select-field.tsx';
import { TextField } from '../../parts/text-field.tsx';

const kinds = ['webhook', 'slack', 'email'] as const;
type Kind = (typeof kinds)[number];

const wordsOf = (text: string) =>
  text
    .split(/[\s,;]+/)
    .map((word) => word.trim())
    .filter(Boolean);

/** Adds one; the secret of a signed webhook is shown once. */
export function AddChannel(props: { onClose: () => void }): JSX.Element {
  const [kind, setKind] = createSignal<Kind>('webhook');
  const [secret, setSecret] = createSignal<string>();
  const add = async (fields: FormData) => {
    const name = String(fields.get('name')).trim();
    const to = String(fields.get('to')).trim();
    const one = kind();
    const made = await adminApi.createChannel(
      one === 'email' ? { kind: one, name, recipients: wordsOf(to) } : { kind: one, name, url: to },
    );
    if (made.secret) setSecret(made.secret);
  };
  return (
    <Show
      when={secret()}
      fallback={
        <FormDialog
          title={t('notify.addChannel')}
          act={add}
          actLabel={t('notify.add')}
          onClose={() => secret() || props.onClose()}
        >
          <SelectField
            name="kind"
            label={t('notify.kind')}
            options={kinds.map((one) => ({ value: one, label: t(`notify.channel.${one}`) }))}
            value={kind()}
            onChange={(value) => setKind(value as Kind)}
          />
          <TextField name="name" label={t('notify.name')} maxLength={100} required />
          <TextField
            name="to"
            label={t(kind() === 'email' ? 'notify.recipients' : 'notify.url')}
            hint={t(kind() === 'email' ? 'notify.recipientsHint' : 'notify.urlHint')}
            maxLength={2_000}
            required
          />
        </FormDialog>
      }
    >
      {(text) => (
        <SecretShown
          title={t('notify.secret')}
          note={t('notify.secretOnce')}
          secret={text()}
          onClose={props.onClose}
        />
      )}
    </Show>
  );
}

export function RotateSecret(props: { channel: NotificationChannel; onClose: () => void }): JSX.Element {
  const [secret, setSecret] = createSignal<string>();
  return (
    <Show
      when={secret()}
      fallback={
        <FormDialog
          title={t('notify.rotateTitle', { name: props.channel.name })}
          act={async () => setSecret((await adminApi.rotateChannel(props.channel.id)).secret)}
          actLabel={t('notify.rotateAct')}
          onClose={() => secret() || props.onClose()}
        >
          <p>{t('notify.rotateWhat')}</p>
        </FormDialog>
      }
    >
      {(text) => (
        <SecretShown
          title={t('notify.secret')}
          note={t('notify.secretOnce')}
          secret={text()}
          onClose={props.onClose}
        />
      )}
    </Show>
  );
}

export function DeleteChannel(props: { channel: NotificationChannel; onClose: () => void }): JSX.Element {
  return (
    <Confirm
      title={t('notify.deleteTitle', { name: props.channel.name })}
      act={() => adminApi.deleteChannel(props.channel.id)}
      actLabel={t('notify.delete')}
      keepLabel={t('common.cancel')}
      onClose={props.onClose}
    >
      <p>{t('notify.deleteChannel')}</p>
    </Confirm>
  );
}
