import { createSignal } from 'solid-js';
import { hardwareOf, headBytes, type Image, readImage } from '#webhook/firmware/image.ts';
import { api, type Firmware } from '../../api.ts';
import { digestFile } from '../../file-digest.ts';
import { ApiError, isAbort } from '../../http.ts';
import { createUpload, putByXhr, type UploadFields, type UploadProgress } from '../../upload.ts';
import type { FileChoiceProblem } from './file-field.tsx';

export type FieldProblems = Partial<Record<'version' | 'hardware' | 'component' | 'securityVersion', true>>;

/** What can be told about the fields before the server is asked. */
export function checkFields(fields: UploadFields): FieldProblems {
  const problems: FieldProblems = {};
  if (!/^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$/.test(fields.version)) problems.version = true;
  if (fields.hardware !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(fields.hardware)) {
    problems.hardware = true;
  }
  if (fields.component !== undefined && !/^[a-z0-9][a-z0-9_-]{0,31}$/.test(fields.component)) {
    problems.component = true;
  }
  const { securityVersion } = fields;
  if (securityVersion !== undefined && !(Number.isSafeInteger(securityVersion) && securityVersion >= 0)) {
    problems.securityVersion = true;
  }
  return problems;
}

/** The fields of the form, trimmed; what is left empty is not sent, so that the server's defaults hold. */
export function readFields(data: FormData): UploadFields {
  const text = (name: string) => String(data.get(name) ?? '').trim();
  const securityVersion = text('securityVersion');
  return {
    version: text('version'),
    releaseNote: text('releaseNote'),
    name: text('name') || undefined,
    hardware: text('hardware') || undefined,
    component: text('component') || undefined,
    securityVersion: securityVersion ? Number(securityVersion) : undefined,
  };
}

export type FilledFields = Pick<UploadFields, 'version' | 'hardware' | 'component' | 'securityVersion'>;

/** What an image says of the fields. An AVR program is the Uno's; anything else is taken for the device's own firmware. */
export function fieldsOf(image: Image): Partial<FilledFields> {
  const { version } = image;
  const hardware = hardwareOf(image);
  return {
    ...(version && { version }),
    ...(hardware && { hardware }),
    ...(image.securityVersion && { securityVersion: image.securityVersion }),
    ...(image.chip === 'avr' && { component: 'uno' }),
  };
}

/** A file that has gone or changed since it was chosen can no longer be read. */
const unreadable = (cause: unknown) =>
  cause instanceof ApiError ? cause : new ApiError('unreadable', 0, 'The file could not be read.', { cause });

/** The state of a registration: the chosen file, what it says of itself and its digest, then the upload under way or why it stopped. */
export function createRegistration() {
  const [file, setFile] = createSignal<File | null>(null);
  const [fileProblem, setFileProblem] = createSignal<FileChoiceProblem | null>(null);
  const [image, setImage] = createSignal<Image | null>(null);
  const [hashed, setHashed] = createSignal(0);
  const [sha256, setSha256] = createSignal<string | null>(null);
  const [progress, setProgress] = createSignal<UploadProgress | null>(null);
  const [error, setError] = createSignal<unknown>();
  const [cancelled, setCancelled] = createSignal(false);
  let hashing: AbortController | null = null;
  let digest: Promise<string> | null = null;
  let sending: AbortController | null = null;
  let upload: ReturnType<typeof createUpload> | null = null;

  const choose = (chosen: File | null, problem: FileChoiceProblem | null) => {
    hashing?.abort();
    hashing = new AbortController();
    setFile(chosen);
    setFileProblem(problem);
    setImage(null);
    setSha256(null);
    setHashed(0);
    setError(undefined);
    setCancelled(false);
    upload = null;
    digest = chosen && inspect(chosen, hashing.signal);
    digest?.then(setSha256, (cause) => {
      if (!isAbort(cause)) setError(unreadable(cause));
    });
  };

  /** The head first: what is no firmware is refused before it is hashed. */
  const inspect = async (chosen: File, signal: AbortSignal): Promise<string> => {
    const head = new Uint8Array(await chosen.slice(0, headBytes).arrayBuffer());
    signal.throwIfAborted();
    const read = readImage(head);
    const refuse = (problem: FileChoiceProblem) => {
      choose(null, problem);
      signal.throwIfAborted();
    };
    if (read.format === 'other') refuse({ kind: read.kind! });
    if (read.damagedLine) refuse({ line: String(read.damagedLine) });
    setImage(read);
    return digestFile(chosen, { onProgress: setHashed, signal });
  };

  /** Whether there is a file; says that one is missing otherwise. */
  const requireFile = (): boolean => {
    if (!file()) setFileProblem((problem) => problem ?? 'none');
    return file() !== null;
  };

  /** Resolves with the firmware, or null when it was cancelled or failed (then `error` says why). */
  const send = async (fields: UploadFields): Promise<Firmware | null> => {
    const chosen = file();
    if (!requireFile() || !chosen || !digest) return null;
    setError(undefined);
    setCancelled(false);
    sending = new AbortController();
    setProgress({ step: 'preparing', sentBytes: 0 });
    try {
      const sha = await digest.catch((cause) => Promise.reject(unreadable(cause)));
      upload ??= createUpload(chosen, sha, { ...api, put: putByXhr });
      return await upload.run(fields, sending.signal, setProgress);
    } catch (cause) {
      // Found to be no firmware meanwhile.
      if (fileProblem()) return null;
      if (isAbort(cause)) setCancelled(true);
      else setError(cause);
      return null;
    } finally {
      setProgress(null);
    }
  };

  const cancel = () => sending?.abort();

  return {
    file,
    fileProblem,
    image,
    sha256,
    hashed,
    choose,
    requireFile,
    send,
    cancel,
    progress,
    error,
    cancelled,
  };
}
