import { createSignal, type JSX, Show } from 'solid-js';
import { adminApi, type NotificationChannel } from '../../admin-api.ts';
import { language, languages, t } from '../../i18n/i18n.ts';
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

const languageOf = (fields: FormData) => fields.get('language') as NotificationChannel['language'];

function LanguageField(props: { value: NotificationChannel['language'] }): JSX.Element {
  return (
    <SelectField
      name="language"
      label={t('notify.language')}
      options={Object.entries(languages).map(([value, label]) => ({ value, label }))}
      value={props.value}
    />
  );
}

/** An address is never told again, so what is left empty stays as it is. */
export function ChangeChannel(props: { channel: NotificationChannel; onClose: () => void }): JSX.Element {
  const { id, kind, name, target, language } = props.channel;
  const isMail = kind === 'email';
  const save = async (fields: FormData, seen: number) => {
    const to = String(fields.get('to')).trim();
    const change = {
      name: String(fields.get('name')).trim(),
      language: languageOf(fields),
      ...(isMail ? { recipients: wordsOf(to) } : to !== '' && { url: to }),
    };
    await adminApi.changeChannel(id, change, seen);
  };
  return (
    <FormDialog
      title={t('notify.changeTitle', { name })}
      of={props.channel}
      act={save}
      actLabel={t('common.save')}
      onClose={props.onClose}
    >
      <TextField name="name" label={t('notify.name')} value={name} maxLength={100} required />
      <TextField
        name="to"
        label={t(isMail ? 'notify.recipients' : 'notify.url')}
        hint={isMail ? t('notify.recipientsHint') : t('notify.urlKept', { target })}
        value={isMail ? target : ''}
        maxLength={2_000}
        required={isMail}
      />
      <LanguageField value={language} />
    </FormDialog>
  );
}

/** Adds one; the secret of a signed webhook is shown once. */
export function AddChannel(props: { onClose: () => void }): JSX.Element {
  const [kind, setKind] = createSignal<Kind>('webhook');
  const [secret, setSecret] = createSignal<string>();
  const add = async (fields: FormData) => {
    const name = String(fields.get('name')).trim();
    const to = String(fields.get('to')).trim();
    const one = kind();
    const made = await adminApi.createChannel(
      one === 'email'
        ? { kind: one, name, language: languageOf(fields), recipients: wordsOf(to) }
        : { kind: one, name, language: languageOf(fields), url: to },
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
          <LanguageField value={language()} />
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
          of={props.channel}
          act={async (_, seen) => setSecret((await adminApi.rotateChannel(props.channel.id, seen)).secret)}
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
      of={props.channel}
      act={(seen) => adminApi.deleteChannel(props.channel.id, seen)}
      actLabel={t('notify.delete')}
      keepLabel={t('common.cancel')}
      onClose={props.onClose}
    >
      <p>{t('notify.deleteChannel')}</p>
    </Confirm>
  );
}
