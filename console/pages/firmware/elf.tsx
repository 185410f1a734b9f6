import { A } from '@solidjs/router';
import { createSignal, type JSX, Show } from 'solid-js';
import { api, type FirmwareElf } from '../../api.ts';
import { formatBytes } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { createLoad } from '../../load.ts';
import { Allowed } from '../../parts/allowed.tsx';
import { FormDialog } from '../../parts/form-dialog.tsx';
import { told } from '../../parts/toast.tsx';
import { putByXhr } from '../../upload.ts';

async function upload(firmwareId: string, file: File): Promise<FirmwareElf> {
  const { url, headers, s3Path } = await api.presignElf(firmwareId, { fileName: file.name });
  const { signal } = new AbortController();
  await putByXhr(url, { headers, body: file, signal, onProgress: () => {} });
  return api.attachElf(firmwareId, { s3Path });
}

/** The ELF that a firmware was made from: what is known of it, and the way to bring it. */
export function Elf(props: { firmwareId: string }): JSX.Element {
  const [open, setOpen] = createSignal(false);
  const [file, setFile] = createSignal<File | null>(null);
  const load = createLoad(
    () => props.firmwareId,
    (id, signal) => api.getElf(id, signal),
  );
  const words = (elf: FirmwareElf) => {
    if (elf.fileName) return `${elf.fileName} · ${formatBytes(language(), elf.sizeBytes ?? 0)}`;
    return elf.sha256 ? t('firmware.elfNamed', { sha256: elf.sha256.slice(0, 16) }) : t('firmware.elfNone');
  };
  return (
    <>
      <Show when={load.data}>{(elf) => <p data-testid="elf">{words(elf())}</p>}</Show>
      <p class="hint">{t('firmware.elfLead')}</p>
      <div class="actions">
        <A class="button" href={`/crashes?firmware=${props.firmwareId}`}>
          {t('firmware.crashes')}
        </A>
        <Allowed to="operator" fleet>
          <button type="button" class="button" onClick={() => setOpen(true)}>
            {t('firmware.elfUpload')}
          </button>
        </Allowed>
      </div>
      <Show when={open()}>
        <FormDialog
          title={t('firmware.elfUpload')}
          lead={t('firmware.elfLead')}
          actLabel={t('firmware.elfUpload')}
          ready={file() !== null}
          act={async () => {
            await upload(props.firmwareId, file()!);
            void told(t('firmware.elfSent'));
            load.refetch();
          }}
          onClose={() => {
            setOpen(false);
            setFile(null);
          }}
        >
          <div class="field">
            <label for="elf-file">{t('firmware.elfFile')}</label>
            <input
              id="elf-file"
              type="file"
              onChange={(event) => setFile(event.currentTarget.files?.[0] ?? null)}
            />
          </div>
        </FormDialog>
      </Show>
    </>
  );
}
