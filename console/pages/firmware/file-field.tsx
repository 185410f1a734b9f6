import { createSignal, type JSX, Show } from 'solid-js';
import { formatBytes, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { checkFile, type FileProblem } from '../../upload.ts';

export type FileChoiceProblem = FileProblem | 'folder' | 'many' | 'none';

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
  sha256: string | null;
  hashed: number;
  problem: FileChoiceProblem | null;
  disabled: boolean;
  onFile: (file: File | null, problem: FileChoiceProblem | null) => void;
}): JSX.Element {
  const [over, setOver] = createSignal(false);

  const take = (choice: File | FileChoiceProblem) => {
    if (typeof choice === 'string') return props.onFile(null, choice);
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
      <Show when={props.file} fallback={<p>{t('register.drop')}</p>}>
        {(file) => (
          <>
            <p class="file-name">{file().name}</p>
            <p class="soft">{formatBytes(language(), file().size)}</p>
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
            {t(`register.problem.${problem()}`)}
          </p>
        )}
      </Show>
    </fieldset>
  );
}
