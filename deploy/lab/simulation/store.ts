/** The file store: objects for the webhook, and ranged GETs for devices over a network that is slow, breaks, and answers wrongly. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { Http, HttpEvents } from '#firmware/virtual/port.ts';
import { AppError } from '#webhook/errors.ts';
import { deviceUrlLifetimeS, type ObjectStore } from '#webhook/firmware/objects.ts';
import type { Random } from '../primitives/random.ts';
import type { VirtualTime } from './virtual-time.ts';

const blockBytes = 16 * 1024;

export interface StoreTrouble {
  /** That an answer is no such image: a 500, a 403, or the whole where a part was asked for. */
  wrong: number;
  /** That a block is the last before the connection breaks. */
  breaks: number;
}

/** Nobody uploads in parts there. */
const none = () => Promise.reject(new AppError('storage_unavailable', 'no parts'));

export class SimulatedStore implements ObjectStore {
  readonly objects = new Map<string, Buffer>();
  readonly browserOrigin = 'https://store.test';
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #trouble: () => StoreTrouble;

  constructor(time: VirtualTime, random: Random, trouble: () => StoreTrouble) {
    this.#time = time;
    this.#random = random;
    this.#trouble = trouble;
  }

  readonly parts = { begin: none, presign: none, list: none, complete: none, abort: none };
  readonly presignUpload = async (key: string) => ({ ...this.#presign(key), headers: {} });
  readonly presignDownload = async (key: string) => this.#presign(key);
  readonly presignForDevice = async (key: string) => this.#presign(key);
  readonly open = async (key: string) => {
    const object = this.objects.get(key);
    if (!object) throw new AppError('object_missing', 'no such object');
    return { stream: Readable.from([object]), sizeBytes: object.length };
  };
  readonly put = async (key: string, text: string) => void this.objects.set(key, Buffer.from(text));
  readonly putStream = async (key: string, content: Readable) =>
    void this.objects.set(key, await buffer(content));
  readonly delete = async (key: string) => void this.objects.delete(key);
  readonly ping = async () => {};
  close(): void {}

  /** The store, as one device reaches it; `onGet` is told of each request. */
  port(onGet: () => void): Http {
    return {
      get: (url, range, events) => {
        onGet();
        return this.#get(url, range, events);
      },
      release() {},
    };
  }

  #presign(key: string) {
    const expiresAt = this.#time.now + deviceUrlLifetimeS * 1_000;
    return {
      url: `https://store.test/${encodeURI(key)}?expires=${expiresAt}`,
      expiresAt: new Date(expiresAt),
    };
  }

  #get(url: string, range: { from: number; to: number } | null, events: HttpEvents): () => void {
    let ended = false;
    const r = this.#random;
    const later = (fromMs: number, toMs: number, work: () => void) =>
      this.#time.after(r.int(fromMs, toMs), () => {
        if (!ended) work();
      });
    const { pathname, searchParams } = new URL(url);
    const object = this.objects.get(decodeURI(pathname.slice(1)));
    const expired = Number(searchParams.get('expires')) < this.#time.now;
    const status =
      this.#trouble().wrong > 0 && r.chance(this.#trouble().wrong) ? r.pick([500, 403, 200]) : 206;
    later(10, 300, () => {
      if (!object || expired || status === 403) return refuse(403);
      if (status === 500) return refuse(500);
      const whole = !range || status === 200;
      const [from, to] = whole ? [0, object.length] : [range.from, Math.min(range.to, object.length)];
      events.head(whole ? 200 : 206, {
        'content-length': String(to - from),
        ...(!whole && { 'content-range': `bytes ${from}-${to - 1}/${object.length}` }),
        etag: '"same"',
      });
      send(object, from, to);
    });
    const refuse = (code: number) => {
      events.head(code, { 'content-length': '0' });
      if (!ended) events.end();
    };
    const send = (object: Buffer, from: number, to: number): void => {
      if (from >= to) events.end();
      else if (r.chance(this.#trouble().breaks)) events.failed();
      else {
        const end = Math.min(from + blockBytes, to);
        events.body(object.subarray(from, end));
        later(5, 60, () => send(object, end, to));
      }
    };
    return () => {
      ended = true;
    };
  }
}
