import { useBeforeLeave, useNavigate } from '@solidjs/router';
import { createEffect, createSignal, For, type JSX, on, onCleanup, onMount, Show } from 'solid-js';
import { findImageProblems } from '#webhook/firmware/image.ts';
import { api } from '../../api.ts';
import { ApiError } from '../../http.ts';
import { t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { describeField } from '../../parts/error-text.ts';
import { Problem } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { TextField } from '../../parts/text-field.tsx';
import { FileField } from './file-field.tsx';
import { checkFields, createRegistration, type FieldProblems, fieldsOf, readFields } from './registration.ts';
import { UploadStatus } from './upload-status.tsx';

function RegisterForm(): JSX.Element {
  const navigate = useNavigate();
  const registration = createRegistration();
  const [problems, setProblems] = createSignal<FieldProblems>({});
  const sending = () => registration.progress() !== null;
  // Hardware that devices really have, offered while typing.
  const seen = createLoad(
    () => true,
    (_, signal) => api.listHardware(signal),
    'hardware',
  );
  // Told as soon as it can be known; the server decides when the upload begins.
  const [version, setVersion] = createSignal('');
  const [hardware, setHardware] = createSignal('');
  const [component, setComponent] = createSignal('main');
  const [securityVersion, setSecurityVersion] = createSignal('0');
  /** What the image has filled in; a field that somebody has changed since stays as it is. */
  const unsaid = { version: '', hardware: '', component: 'main', securityVersion: 0 };
  let filled = unsaid;
  createEffect(
    on(registration.image, (image) => {
      const said = { ...unsaid, ...(image && fieldsOf(image)) };
      if (version() === filled.version) setVersion(said.version);
      if (hardware() === filled.hardware) setHardware(said.hardware);
      if (component() === filled.component) setComponent(said.component);
      if (securityVersion() === String(filled.securityVersion))
        setSecurityVersion(String(said.securityVersion));
      filled = said;
    }),
  );
  const imageProblems = () => {
    const image = registration.image();
    return image ? findImageProblems(image, { version: version(), hardware: hardware() || undefined }) : [];
  };
  /** Of an image that is not what the fields say, in words; an empty version is told as such. */
  const differs = (code: 'image_version_differs' | 'image_chip_differs' | 'image_is_hex') => {
    const problem = imageProblems().find((one) => one.code === code);
    if (!problem || (code === 'image_version_differs' && !version())) return undefined;
    return t(`register.${code}`, problem.values);
  };
  const same = createLoad(
    () => (version() ? { search: version(), limit: 100 } : null),
    (query, signal) => api.listFirmwares(query, signal),
  );
  const duplicate = () =>
    same.data?.items.find((one) => one.version === version() && one.fileName === registration.file()?.name);
  const stopped = () => registration.error() !== undefined || registration.cancelled();
  const serverSays = (path: string) => {
    const error = registration.error();
    const fault = error instanceof ApiError ? error.errors.find((e) => e.path === path) : undefined;
    return fault && describeField(fault);
  };

  useBeforeLeave((event) => {
    if (!sending()) return;
    if (window.confirm(t('register.leave'))) registration.cancel();
    else event.preventDefault();
  });
  const holdWindow = (event: BeforeUnloadEvent) => sending() && event.preventDefault();
  onMount(() => window.addEventListener('beforeunload', holdWindow));
  onCleanup(() => window.removeEventListener('beforeunload', holdWindow));

  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const fields = readFields(new FormData(form));
    setProblems(checkFields(fields));
    const hasFile = registration.requireFile();
    if (!hasFile || Object.keys(problems()).length > 0 || duplicate() || imageProblems().length > 0) {
      form.querySelector<HTMLElement>('[aria-invalid]')?.focus();
      return;
    }
    const firmware = await registration.send(fields);
    if (firmware) navigate(`/firmware/${firmware.id}`);
  };
  const wrong = (name: keyof FieldProblems) =>
    problems()[name] ? t(`register.problem.${name}`) : serverSays(name);

  return (
    <form class="register" onSubmit={submit} novalidate>
      <FileField
        file={registration.file()}
        image={registration.image()}
        sha256={registration.sha256()}
        hashed={registration.hashed()}
        problem={registration.fileProblem()}
        disabled={sending()}
        onFile={registration.choose}
      />
      {/* `display: contents` keeps the grid; disabled keeps what is being sent from changing. */}
      <fieldset disabled={sending()} style={{ display: 'contents' }}>
        <div class="pair">
          <TextField
            name="name"
            label={t('firmware.name')}
            hint={t('register.nameHint')}
            wrong={serverSays('name')}
            maxLength={100}
          />
          <TextField
            name="version"
            label={t('firmware.version')}
            hint={t('register.versionHint')}
            wrong={
              duplicate()
                ? t('register.duplicate', { version: version(), file: duplicate()!.fileName })
                : (differs('image_version_differs') ?? wrong('version'))
            }
            value={version()}
            onInput={(text) => setVersion(text.trim())}
            maxLength={64}
            required
          />
        </div>
        <TextField name="releaseNote" label={t('firmware.note')} wrong={serverSays('releaseNote')} rows={4} />
        <div class="pair three">
          <TextField
            name="hardware"
            label={t('firmware.hardware')}
            hint={t('register.hardwareHint')}
            wrong={differs('image_chip_differs') ?? differs('image_is_hex') ?? wrong('hardware')}
            value={hardware()}
            onInput={(text) => setHardware(text.trim())}
            maxLength={64}
            list="hardware-seen"
          />
          <TextField
            name="component"
            label={t('firmware.component')}
            hint={t('register.componentHint')}
            wrong={wrong('component')}
            value={component()}
            onInput={(text) => setComponent(text.trim())}
            maxLength={32}
          />
          <TextField
            name="securityVersion"
            label={t('firmware.securityVersion')}
            hint={t('register.securityVersionHint')}
            wrong={wrong('securityVersion')}
            value={securityVersion()}
            onInput={(text) => setSecurityVersion(text.trim())}
            inputMode="numeric"
          />
        </div>
        <datalist id="hardware-seen">
          <For each={seen.data ?? []}>{(one) => <option value={one.hardware} />}</For>
        </datalist>
      </fieldset>
      <Problem error={registration.error()} />
      <Show when={registration.cancelled()}>
        <p role="status">{t('register.cancelled')}</p>
      </Show>
      <Show
        when={registration.progress()}
        fallback={
          <div class="actions">
            <button type="submit" class="button primary">
              {stopped() ? t('register.retry') : t('register.submit')}
            </button>
          </div>
        }
      >
        {(progress) => (
          <UploadStatus
            progress={progress()}
            sizeBytes={registration.file()?.size ?? 0}
            onCancel={registration.cancel}
          />
        )}
      </Show>
    </form>
  );
}

export default function RegisterPage(): JSX.Element {
  return (
    <>
      <Head title={t('register.title')} lead={t('register.lead')} />
      <Allowed page to="operator" fleet>
        <RegisterForm />
      </Allowed>
    </>
  );
}
