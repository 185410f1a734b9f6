import { maxFirmwareBytes } from '#webhook/firmware/image.ts';
import type { Firmware, NewFirmware, Presigned } from './api.ts';
import { ApiError } from './http.ts';

export type Put = (
  url: string,
  options: {
    headers: Record<string, string>;
    body: Blob;
    signal: AbortSignal;
    onProgress: (sentBytes: number) => void;
  },
) => Promise<void>;

export type UploadFields = Omit<NewFirmware, 's3Path' | 'fileName'>;
export type UploadStep = 'preparing' | 'sending' | 'registering';
export type UploadProgress = { step: UploadStep; sentBytes: number };

export type UploadCalls = {
  presignUpload(
    body: { version: string; fileName: string; sha256?: string },
    signal?: AbortSignal,
  ): Promise<Presigned>;
  registerFirmware(body: NewFirmware, signal?: AbortSignal): Promise<Firmware>;
  put: Put;
};

export type FileProblem = 'path' | 'empty' | 'large' | 'long' | 'name';

const maxFileNameLength = 100;
/** The webhook's own rule, told before a long upload instead of after it. */
const plainName = /^[\p{L}\p{N}_][\p{L}\p{N} ._()+@-]*$/u;

/** Why a file cannot be registered, before anything is sent; null when it can. */
export function checkFile(file: { name: string; size: number }): FileProblem | null {
  if (/[/\\]/.test(file.name) || file.name === '.' || file.name === '..') return 'path';
  if (file.name.length > maxFileNameLength) return 'long';
  if (!plainName.test(file.name)) return 'name';
  if (file.size === 0) return 'empty';
  if (file.size > maxFirmwareBytes) return 'large';
  return null;
}

/**
 * The three steps of a registration: presign (where a duplicate is refused, 409, before a byte is sent) → PUT →
 * metadata. `run` may be called again after it failed or was cancelled: a file that has been stored under the same
 * version is not sent twice, and one that has not gets a fresh URL, since the old one may have expired.
 */
export function createUpload(file: File, sha256: string, calls: UploadCalls) {
  let stored: { version: string; s3Path: string } | null = null;

  const run = async (
    fields: UploadFields,
    signal: AbortSignal,
    onProgress: (progress: UploadProgress) => void,
  ): Promise<Firmware> => {
    if (stored?.version !== fields.version) {
      onProgress({ step: 'preparing', sentBytes: 0 });
      const { url, headers, s3Path } = await calls.presignUpload(
        { version: fields.version, fileName: file.name, sha256 },
        signal,
      );
      onProgress({ step: 'sending', sentBytes: 0 });
      await calls.put(url, {
        headers,
        body: file,
        signal,
        onProgress: (sentBytes) => onProgress({ step: 'sending', sentBytes }),
      });
      stored = { version: fields.version, s3Path };
    }
    onProgress({ step: 'registering', sentBytes: file.size });
    return calls.registerFirmware({ ...fields, fileName: file.name, s3Path: stored.s3Path }, signal);
  };

  return { run };
}

/** PUT by XMLHttpRequest, because fetch cannot report how much of a request has been sent. */
export const putByXhr: Put = (url, { headers, body, signal, onProgress }) =>
  new Promise((resolve, reject) => {
    const xhr = new XMLHttpRequest();
    const abort = () => xhr.abort();
    xhr.open('PUT', url);
    for (const [name, value] of Object.entries(headers)) xhr.setRequestHeader(name, value);
    xhr.upload.onprogress = (event) => onProgress(event.loaded);
    xhr.onload = () =>
      xhr.status >= 200 && xhr.status < 300
        ? resolve()
        : reject(new ApiError('upload_refused', xhr.status, `The store answered ${xhr.status}.`));
    xhr.onerror = () => reject(new ApiError('upload_interrupted', 0, 'The connection broke off.'));
    xhr.onabort = () => reject(new DOMException('Cancelled', 'AbortError'));
    xhr.onloadend = () => signal.removeEventListener('abort', abort);
    if (signal.aborted) return reject(new DOMException('Cancelled', 'AbortError'));
    signal.addEventListener('abort', abort);
    xhr.send(body);
  });
