import type { DigestNews } from './digest-worker.ts';
import { ApiError } from './http.ts';

/** SHA-256 of a file, lower hex, computed beside the page, which stays as quick as it was. `onProgress` gets 0 to 1. */
export function digestFile(
  file: Blob,
  { onProgress, signal }: { onProgress?: (share: number) => void; signal: AbortSignal },
): Promise<string> {
  signal.throwIfAborted();
  const worker = new Worker(new URL('./digest-worker.ts', import.meta.url), { type: 'module' });
  return new Promise<string>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    worker.onmessage = ({ data }: MessageEvent<DigestNews>) => {
      if ('share' in data) onProgress?.(data.share);
      else if ('sha256' in data) resolve(data.sha256);
      else reject(data.error);
    };
    // Its script did not come.
    worker.onerror = () => reject(new ApiError('unreachable', 0, 'The page could not be loaded whole.'));
    worker.postMessage(file);
  }).finally(() => worker.terminate());
}
