/** Hints that something has changed (GET /api/live): a reason to ask again, never the only one. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type Flota, send } from './client.ts';

const againMs = 1_000;

export interface Hints {
  /** Resolves at the next hint, or at one since the last call, and after `maxMs` at the latest. */
  next(maxMs: number): Promise<void>;
  close(): void;
}

export function openHints(flota: Flota, about: { kind: string; id: string }): Hints {
  const closing = new AbortController();
  let isWaiting = false;
  let wake = () => {
    isWaiting = true;
  };
  const seen = wake;
  const query = about.kind === 'log' ? `?logs_of=${encodeURIComponent(about.id)}` : '';

  async function listen(): Promise<void> {
    const { signal } = closing;
    const headers = { ...flota.headers, accept: 'text/event-stream' };
    const response = await send(`${flota.url}/api/live${query}`, { headers, signal });
    if (!response.ok || !response.body) return;
    for await (const line of createInterface({
      input: Readable.fromWeb(response.body as never, { signal }),
    })) {
      // HTML Standard 9.2.6; ours are always one line of JSON.
      if (!line.startsWith('data: {')) continue;
      const { kind, id } = JSON.parse(line.slice(6)) as { kind?: string; id?: string };
      if (kind === about.kind && id === about.id) wake();
    }
  }
  const listening = (async () => {
    while (!closing.signal.aborted) {
      // Without the stream, `next` still ends after its time.
      await listen().catch(() => {});
      await delay(againMs, undefined, { signal: closing.signal }).catch(() => {});
    }
  })();

  return {
    async next(maxMs) {
      if (!isWaiting && !closing.signal.aborted)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, maxMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      wake = seen;
      isWaiting = false;
    },
    close() {
      closing.abort();
      wake();
      void listening;
    },
  };
}
