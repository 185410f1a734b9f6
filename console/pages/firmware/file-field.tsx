import { createSignal, type JSX, Show } from 'solid-js';
import { type Image, maxFirmwareBytes } from '#webhook/firmware/image.ts';
import { formatBytes, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { checkFile, type FileProblem } from '../../upload.ts';

/** `kind` is that of a file that is no firmware: PNG, ZIP …; `line` that of a damaged Intel HEX. */
export type FileChoiceProblem =
  | FileProblem
  | 'folder'
  | 'many'
  | 'none'
  | { kind: string }
  | { line: string };

const limit = () => formatBytes(language(), maxFirmwareBytes);

function tell(problem: FileChoiceProblem): string {
  if (typeof problem === 'object')
    return 'kind' in problem
      ? t('error.image_not_firmware.kind', problem)
      : t('register.image_hex_damaged', problem);
  return problem === 'large'
    ? t('register.problem.large', { limit: limit() })
    : t(`register.problem.${problem}`);
}

/** What the image says of itself, in one line; nothing for a plain binary. */
function describeImage(image: Image): string {
  if (image.format === 'plain' || image.format === 'other') return '';
  const elf = image.elfSha256 && `ELF ${image.elfSha256.slice(0, 16)}`;
  const format = t(`register.image.${image.format}`);
  return [format, image.project, image.version, image.chip, image.idf, elf].filter(Boolean).join(' · ');
}

/** The one file of a drop, or why it cannot be taken. */
function fileOf(transfer: DataTransfer): File | FileChoiceProblem {
  const items = [...transfer.items].filter((item) => item.kind === 'file');
  if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) return 'folder';
  if (items.length > 1) return 'many';
  return transfer.files[0] ?? 'none';
}

/** A drop area around a real file input. `onFile` only gets files that may be registered. */
export function FileField(props: {
  file: File | null;
  image: Image | null;
  sha256: string | null;
  hashed: number;
  problem: FileChoiceProblem | null;
  disabled: boolean;
  onFile: (file: File | null, problem: FileChoiceProblem | null) => void;
}): JSX.Element {
  const [over, setOver] = createSignal(false);

  const take = (choice: File | FileChoiceProblem) => {
    if (!(choice instanceof File)) return props.onFile(null, choice);
    const problem = checkFile(choice);
    props.onFile(problem ? null : choice, problem);
  };

  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (!props.disabled && event.dataTransfer) take(fileOf(event.dataTransfer));
  };

  return (
    <fieldset
      class="drop"
      classList={{ over: over() }}
      aria-label={t('register.file')}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <Show
        when={props.file}
        fallback={
          <>
            <p>{t('register.drop')}</p>
            <p class="small soft">{t('register.limit', { limit: limit() })}</p>
          </>
        }
      >
        {(file) => (
          <>
            <p class="file-name">{file().name}</p>
            <p class="soft">{formatBytes(language(), file().size)}</p>
            <Show when={props.image && describeImage(props.image)}>
              {(said) => (
                <p class="small" data-testid="file-image">
                  {said()}
                </p>
              )}
            </Show>
            <Show when={props.image?.format === 'intel-hex'}>
              <p class="small">{t('register.image.hexNote')}</p>
            </Show>
            <p class="small soft">
              <Show
                when={props.sha256}
                fallback={t('register.hashing', { share: formatShare(language(), props.hashed) })}
              >
                SHA-256 <code data-testid="file-sha256">{props.sha256}</code>
              </Show>
            </p>
          </>
        )}
      </Show>
      <label class="link">
        {props.file ? t('register.change') : t('register.choose')}
        <input
          type="file"
          class="unseen"
          disabled={props.disabled}
          aria-invalid={props.problem ? 'true' : undefined}
          aria-describedby="file-problem"
          data-testid="file"
          onChange={(event) => {
            const chosen = event.currentTarget.files?.[0];
            if (chosen) take(chosen);
            // The same file may be chosen again after it has changed.
            event.currentTarget.value = '';
          }}
        />
      </label>
      <Show when={props.problem}>
        {(problem) => (
          <p class="wrong" id="file-problem" role="alert">
            {tell(problem())}
          </p>
        )}
      </Show>
    </fieldset>
  );
}
