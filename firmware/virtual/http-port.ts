import { type AgentPort, failed } from './agent-port.ts';
import type { Clock, Http } from './port.ts';

/** What the agent reads of a head. */
const fields = ['content-range', 'content-length', 'content-encoding', 'retry-after'];
/** The agent takes so much at once; it is woken for less only when nothing more comes at the moment. */
const pieceBytes = 64 * 1024;

/** The agent's side of its downloads: what has come of the answer waits here until the agent asks for it. */
export class HttpPort {
  readonly #http: Http;
  readonly #clock: Clock;
  readonly #wake: () => void;
  readonly #asked: (range: { from: number; to: number }) => void;
  #abort: (() => void) | null = null;
  #head: string | null = null;
  readonly #body: Uint8Array[] = [];
  /** Of the first piece, taken already. */
  #taken = 0;
  #waitingBytes = 0;
  #over: 'no' | 'ended' | 'failed' = 'no';
  #cancelWake: (() => void) | null = null;

  constructor(parts: {
    http: Http;
    clock: Clock;
    wake: () => void;
    asked: (range: { from: number; to: number }) => void;
  }) {
    this.#http = parts.http;
    this.#clock = parts.clock;
    this.#wake = parts.wake;
    this.#asked = parts.asked;
  }

  readonly port: AgentPort['http'] = {
    get: (url, range) => this.#get(url, range),
    head: () => this.#head ?? (this.#over === 'no' ? null : failed.network),
    read: (target) => this.#read(target),
    end: () => this.stop(),
  };

  /** Ends the request that is under way. */
  stop(): void {
    this.#abort?.();
    this.#abort = null;
    this.#cancelWake?.();
    this.#cancelWake = null;
    this.#body.length = 0;
    this.#taken = 0;
    this.#waitingBytes = 0;
  }

  #get(url: string, range: { from: number; to: number } | null): void {
    this.#head = null;
    this.#over = 'no';
    this.#asked(range ?? { from: 0, to: Number.POSITIVE_INFINITY });
    try {
      this.#abort = this.#http.get(url, range, {
        head: (status, values) => {
          this.#head = describe(status, values);
        },
        body: (data) => {
          this.#body.push(data);
          this.#waitingBytes += data.length;
          if (this.#waitingBytes >= pieceBytes) this.#wakeNow();
          else this.#cancelWake ??= this.#clock.after(0, () => this.#wakeNow());
        },
        end: () => this.#end('ended'),
        failed: () => this.#end('failed'),
      });
    } catch {
      // A URL that only the agent takes for one.
      this.#over = 'failed';
    }
  }

  #end(how: 'ended' | 'failed'): void {
    this.#over = how;
    this.#wakeNow();
  }

  #wakeNow(): void {
    this.#cancelWake?.();
    this.#cancelWake = null;
    this.#wake();
  }

  #read(target: Uint8Array): number {
    let bytes = 0;
    for (let piece = this.#body[0]; piece && bytes < target.length; piece = this.#body[0]) {
      const part = piece.subarray(this.#taken, this.#taken + target.length - bytes);
      target.set(part, bytes);
      bytes += part.length;
      this.#taken += part.length;
      if (this.#taken < piece.length) break;
      this.#body.shift();
      this.#taken = 0;
    }
    this.#waitingBytes -= bytes;
    if (bytes > 0) return bytes;
    if (this.#over === 'no') return 0;
    return this.#over === 'ended' ? failed.absent : failed.network;
  }
}

function describe(status: number, values: Record<string, string | string[] | undefined>): string {
  const lines = fields.flatMap((name) => {
    const value = values[name];
    // None of them is longer when it means anything.
    return typeof value === 'string' && value.length < 100 ? `${name}:${value}\n` : [];
  });
  return `${status}\n${lines.join('')}`;
}
