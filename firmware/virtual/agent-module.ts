/**
 * The agent in C, as a WebAssembly module (`wasm/glue.c`): one instance holds any number of agents, each in a block of its memory. This
 * file turns addresses into bytes and texts, and back; `AgentPort` is `ota_port.h` in TypeScript.
 */
import { createHash, type Hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isStorageFailure } from './flash.ts';
import type { LogLevel } from './options.ts';
import type { Certificates, Verify } from './port.ts';
import type { Slots } from './slots.ts';

/** The part of `ota_error.h` that a port returns. */
export const ok = 0;
export const failed = {
  storage: -2,
  network: -3,
  space: -5,
  signature: -10,
  install: -11,
  busy: -12,
  certificate: -13,
  absent: -14,
} as const;

export const storeKeys = ['journal', 'checkpoint', 'url'] as const;
export const stages = ['idle', 'accepted', 'downloading', 'verifying', 'installing', 'rebooting'] as const;
const levels: LogLevel[] = ['debug', 'info', 'warn', 'error'];
const bootReasons = ['power_on', 'update', 'rollback', 'watchdog', 'command', 'unknown'] as const;
const telemetryTopics = ['status/system', 'status/network', 'data/sensors', 'data/metrics'] as const;
const renewals = { none: 0, key: 1, issued: 2 } as const;

export type StoreKey = (typeof storeKeys)[number];
export type Stage = (typeof stages)[number];
export type BootReason = (typeof bootReasons)[number];
export type TelemetryTopic = (typeof telemetryTopics)[number];

export type MqttEvent =
  | { type: 'connected' }
  | { type: 'disconnected'; reached: boolean }
  | { type: 'message'; topic: string; payload: Uint8Array };

/**
 * What an agent calls. Bytes that it gives are a view of its memory, good during the call. What throws an error with a `code` (a file
 * system's) is a storage failure; PowerLost and everything else ends this life of the agent.
 */
export interface AgentPort {
  mqtt: {
    connect(pair: 'current' | 'new'): void;
    disconnect(): void;
    /** `ok`, or why not. */
    publish(topic: string, payload: Uint8Array): number;
    poll(): MqttEvent | null;
  };
  http: {
    get(url: string, range: { from: number; to: number } | null): void;
    /** "status\nname:value\n…", null: not yet, a number: what went wrong. */
    head(): string | null | number;
    read(target: Uint8Array): number;
    end(keep: boolean): void;
  };
  staging: {
    bytes(): number;
    write(offset: number, data: Uint8Array): void;
    read(offset: number, target: Uint8Array): void;
    sync(): void;
    clear(): void;
  };
  store: {
    read(key: StoreKey): Uint8Array | null;
    write(key: StoreKey, data: Uint8Array): void;
  };
  certificates: Certificates;
  slots: Slots;
  verify: Verify;
  uptimeMs(): number;
  unixMs(): number | null;
  random(target: Uint8Array): void;
  log(level: LogLevel, text: string): void;
  /** Members of the message without braces; null after the last. */
  telemetry(index: number): { topic: TelemetryTopic; fields: string } | null;
  /** A JSON value, or an empty text; null: no such command. */
  command(name: string, args: string): string | null;
}

export interface AgentConfig {
  component: string;
  hardware: string;
  slotBytes: number;
  bootReason: 'power_on' | 'watchdog';
  /** false: forgets a download that breaks. */
  resume: boolean;
  /** `timing` and `limits` of options.ts in one. */
  numbers: Record<string, number>;
  /** x || y, 64 bytes. */
  keys: { kid: string; xy: Uint8Array }[];
}

interface Exports {
  memory: WebAssembly.Memory;
  __stack_pointer: WebAssembly.Global;
  create(number: number, resumes: number, reason: number, slotBytes: number): number;
  destroy(device: number): void;
  setting_names(): number;
  scratch(): number;
  set(device: number, numbers: number, component: number, hardware: number): void;
  trust(device: number, kid: number, xy: number): number;
  init(device: number): number;
  poll(device: number): number;
  suspend(device: number): number;
  look(device: number): number;
}

export class AgentModule {
  readonly #exports: Exports;
  readonly #settingNames: string[];
  /** By agent number. */
  readonly #ports: (AgentPort | undefined)[] = [];
  readonly #hashes: Hash[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #topics = new Map<number, string>();
  #bytes: Buffer;
  #depth = 0;

  constructor(code: WebAssembly.Module) {
    this.#exports = new WebAssembly.Instance(code, { port: this.#imports() }).exports as unknown as Exports;
    this.#bytes = Buffer.from(this.#exports.memory.buffer);
    this.#settingNames = this.#text(this.#exports.setting_names()).split(' ');
  }

  /** The one of this process. */
  static shared(): AgentModule {
    AgentModule.#shared ??= new AgentModule(
      new WebAssembly.Module(readFileSync(new URL('./wasm/agent.wasm', import.meta.url))),
    );
    return AgentModule.#shared;
  }
  static #shared: AgentModule | undefined;

  /** Bytes of memory that the agents take, those that are gone included. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** Throws RangeError when there is no memory left, or a setting is missing. */
  create(config: AgentConfig, port: AgentPort): Agent {
    const exports = this.#exports;
    const number = this.#freeNumbers.pop() ?? this.#ports.length;
    const reason = bootReasons.indexOf(config.bootReason);
    const device =
      this.enter(() => exports.create(number, Number(config.resume), reason, config.slotBytes)) >>> 0;
    if (device === 0) throw new RangeError('no memory for another agent');
    this.#ports[number] = port;
    this.#configure(device, config);
    return new Agent(this, exports, device, () => {
      exports.destroy(device);
      this.#ports[number] = undefined;
      this.#freeNumbers.push(number);
    });
  }

  /** Runs a call of the module; agents share a stack and a work buffer, so such calls do not nest. */
  enter<T>(call: () => T): T {
    if (this.#depth > 0) throw new Error('an agent was called from within a callback of an agent');
    const stack = this.#exports.__stack_pointer;
    const top = stack.value;
    this.#depth++;
    try {
      return call();
    } catch (error) {
      // What was thrown has passed through C, which had no chance to tidy up.
      stack.value = top;
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** Reads what `look` has left. */
  view(address: number): AgentView {
    const at = (index: number) => this.#memory.readDoubleLE(address + 8 * index);
    const text = (index: number) => {
      const pointer = this.#memory.readUInt32LE(address + 8 * 11 + 4 * index);
      return pointer === 0 ? null : this.#text(pointer);
    };
    return {
      attempt: at(0),
      stats: { downloadMs: at(1), receivedBytes: at(2), redownloadedBytes: at(3), resumes: at(4) },
      receivedBytes: at(5),
      totalBytes: at(6),
      chunkBytes: at(7),
      bootCount: at(8),
      outboxMessages: at(9),
      bootReason: bootReasons[at(10)]!,
      deployment: text(0),
      version: text(1),
    };
  }

  /** Of the whole memory; growing it leaves earlier views behind. */
  get #memory(): Buffer {
    if (this.#bytes.length === 0) this.#bytes = Buffer.from(this.#exports.memory.buffer);
    return this.#bytes;
  }

  #view(address: number, bytes: number): Buffer {
    return this.#memory.subarray(address >>> 0, (address >>> 0) + bytes);
  }

  #text(address: number): string {
    const start = address >>> 0;
    return this.#memory.toString('utf8', start, this.#memory.indexOf(0, start));
  }

  /** Topics are constants of the module. */
  #topic(address: number): string {
    const known = this.#topics.get(address);
    if (known !== undefined) return known;
    const topic = this.#text(address);
    this.#topics.set(address, topic);
    return topic;
  }

  /** With a NUL behind it; what it took without that, or an error when it does not fit. */
  #put(text: string, address: number, capacity: number): number {
    const bytes = Buffer.byteLength(text);
    if (bytes >= capacity) return failed.space;
    this.#memory.write(text, address >>> 0);
    this.#memory[(address >>> 0) + bytes] = 0;
    return bytes;
  }

  #configure(device: number, config: AgentConfig): void {
    const exports = this.#exports;
    const scratch = exports.scratch() >>> 0;
    const [component, hardware] = [scratch + 1024, scratch + 2048];
    this.#settingNames.forEach((name, index) => {
      const value = config.numbers[name];
      if (!Number.isFinite(value)) throw new RangeError(`${name} is not a number`);
      this.#memory.writeUInt32LE(Math.min(0xffff_ffff, Math.max(0, Math.round(value!))), scratch + 4 * index);
    });
    this.#put(config.component, component, 256);
    this.#put(config.hardware, hardware, 1024);
    exports.set(device, scratch, component, hardware);
    for (const { kid, xy } of config.keys) {
      this.#view(scratch, 64).set(xy);
      if (this.#put(kid, component, 65) < 0 || exports.trust(device, component, scratch) !== ok)
        throw new RangeError('too many signing keys, or a kid that is too long');
    }
  }

  #imports(): Record<string, (number: number, ...rest: number[]) => unknown> {
    const port = (number: number) => this.#ports[number]!;
    const view = (address: number, bytes: number) => this.#view(address, bytes);
    return {
      mqtt_connect: (n, pair) => {
        port(n).mqtt.connect(pair === 1 ? 'new' : 'current');
        return ok;
      },
      mqtt_disconnect: (n) => port(n).mqtt.disconnect(),
      mqtt_publish: (n, topic, data, bytes) => port(n).mqtt.publish(this.#topic(topic!), view(data!, bytes!)),
      mqtt_poll: (n, inbox, capacity, topic, topicCapacity, bytes) => {
        const event = port(n).mqtt.poll();
        if (!event) return 0;
        if (event.type === 'connected') return 1;
        if (event.type === 'disconnected') return event.reached ? 2 | 0x100 : 2;
        if (this.#put(event.topic, topic!, topicCapacity!) < 0) return 0;
        if (event.payload.length <= capacity!) view(inbox!, capacity!).set(event.payload);
        this.#memory.writeUInt32LE(event.payload.length, bytes! >>> 0);
        return 3;
      },
      http_get: (n, url, from, to) => {
        port(n).http.get(this.#text(url!), to === 0 ? null : { from: from! >>> 0, to: to! >>> 0 });
        return ok;
      },
      http_head: (n, text, capacity) => {
        const head = port(n).http.head();
        return typeof head === 'string' ? this.#put(head, text!, capacity!) : (head ?? 0);
      },
      http_read: (n, data, capacity) => port(n).http.read(view(data!, capacity!)),
      http_end: (n, keep) => port(n).http.end(keep === 1),
      staging_bytes: (n) =>
        Math.max(
          0,
          attempt(() => port(n).staging.bytes()),
        ),
      staging_write: (n, at, data, bytes) =>
        attempt(() => port(n).staging.write(at! >>> 0, view(data!, bytes!))),
      staging_read: (n, at, data, bytes) =>
        attempt(() => port(n).staging.read(at! >>> 0, view(data!, bytes!))),
      staging_sync: (n) => attempt(() => port(n).staging.sync()),
      staging_clear: (n) => attempt(() => port(n).staging.clear()),
      store_read: (n, key, data, capacity) =>
        attempt(() => {
          const blob = port(n).store.read(storeKeys[key!]!);
          if (!blob) return failed.absent;
          if (blob.length > capacity!) return failed.space;
          view(data!, blob.length).set(blob);
          return blob.length;
        }),
      store_write: (n, key, data, bytes) =>
        attempt(() => port(n).store.write(storeKeys[key!]!, view(data!, bytes!))),
      cert_validity: (n, notBefore, notAfter) =>
        attempt(() => {
          const { validity } = port(n).certificates;
          this.#memory.writeDoubleLE(validity.notBefore, notBefore! >>> 0);
          this.#memory.writeDoubleLE(validity.notAfter, notAfter! >>> 0);
        }),
      cert_state: (n) => renewals[port(n).certificates.renewal],
      cert_request: (n, csr, capacity) =>
        attempt(() => Math.min(ok, this.#put(port(n).certificates.request(), csr!, capacity!))),
      cert_store: (n, certificate, chain) =>
        attempt(() => {
          const problem = port(n).certificates.store(this.#text(certificate!), this.#text(chain!));
          return problem === null ? ok : failed.certificate;
        }),
      cert_promote: (n) => attempt(() => port(n).certificates.promote()),
      cert_drop: (n) => attempt(() => port(n).certificates.drop()),
      sha256_start: (n) => {
        this.#hashes[n] = createHash('sha256');
        return ok;
      },
      sha256_update: (n, data, bytes) => {
        this.#hashes[n]!.update(view(data!, bytes!));
        return ok;
      },
      sha256_finish: (n, digest) => {
        view(digest!, 32).set(this.#hashes[n]!.digest());
        delete this.#hashes[n];
        return ok;
      },
      es256_verify: (n, xy, message, bytes, signature) =>
        port(n).verify(view(xy!, 64), view(message!, bytes!), view(signature!, 64)) ? ok : failed.signature,
      uptime_ms: (n) => port(n).uptimeMs(),
      unix_ms: (n) => port(n).unixMs() ?? -1,
      random: (n, data, bytes) => {
        port(n).random(view(data!, bytes!));
        return ok;
      },
      // `poll` tells it.
      reboot: () => {},
      log: (n, level, text) => port(n).log(levels[level!]!, this.#text(text!)),
      telemetry: (n, index, fields, capacity) => {
        const message = port(n).telemetry(index!);
        if (!message || this.#put(message.fields, fields!, capacity!) < 0) return failed.absent;
        return telemetryTopics.indexOf(message.topic);
      },
      command: (n, name, args, result, capacity) => {
        const answer = port(n).command(this.#text(name!), this.#text(args!));
        return answer === null ? failed.absent : Math.min(ok, this.#put(answer, result!, capacity!));
      },
      slot_running: (n, version, capacity, securityVersion, size, sha256) => {
        const image = port(n).slots.running;
        this.#memory.writeDoubleLE(image.securityVersion, securityVersion! >>> 0);
        this.#memory.writeUInt32LE(image.size, size! >>> 0);
        view(sha256!, 32).write(image.sha256, 'hex');
        return Math.min(ok, this.#put(image.version, version!, capacity!));
      },
      slot_begin: (n) => attempt(() => port(n).slots.begin()),
      slot_write: (n, at, data, bytes) => attempt(() => port(n).slots.write(at! >>> 0, view(data!, bytes!))),
      slot_finish: (n) => attempt(() => port(n).slots.finish()),
      slot_read: (n, at, data, bytes) => attempt(() => port(n).slots.read(at! >>> 0, view(data!, bytes!))),
      slot_activate: (n, version, securityVersion, size, sha256) =>
        attempt(() =>
          port(n).slots.activate({
            version: this.#text(version!),
            securityVersion: securityVersion!,
            size: size! >>> 0,
            sha256: view(sha256!, 32).toString('hex'),
          }),
        ),
      slot_trial: (n) => Number(port(n).slots.onTrial),
      slot_confirm: (n) => attempt(() => port(n).slots.confirm()),
      slot_revert: (n) => attempt(() => port(n).slots.revert()),
      slot_self_test: (n) => attempt(() => (port(n).slots.isFit ? ok : failed.install)),
    };
  }
}

export interface AgentView {
  attempt: number;
  stats: { downloadMs: number; receivedBytes: number; redownloadedBytes: number; resumes: number };
  receivedBytes: number;
  totalBytes: number;
  chunkBytes: number;
  bootCount: number;
  outboxMessages: number;
  bootReason: BootReason;
  deployment: string | null;
  /** Null when there is no job. */
  version: string | null;
}

/** One agent: `ota_agent.h`. Whatever its port throws comes out of the call that led to it. */
export class Agent {
  readonly #module: AgentModule;
  readonly #exports: Exports;
  readonly #device: number;
  readonly #release: () => void;

  constructor(module: AgentModule, exports: Exports, device: number, release: () => void) {
    this.#module = module;
    this.#exports = exports;
    this.#device = device;
    this.#release = release;
  }

  /** False: storage cannot be read or written. Throws RangeError when the configuration makes no sense. */
  init(): boolean {
    const error = this.#module.enter(() => this.#exports.init(this.#device));
    if (error === -1)
      throw new RangeError('the limits contradict each other, or the component is no name of one');
    return error === ok;
  }

  /** Does a bounded piece of what is due: milliseconds until more is, in the low 16 bits, and AgentState in those above. */
  poll(): number {
    return this.#module.enter(() => this.#exports.poll(this.#device));
  }

  suspend(): void {
    this.#module.enter(() => this.#exports.suspend(this.#device));
  }

  /** May be called from within a callback. */
  look(): AgentView {
    return this.#module.view(this.#exports.look(this.#device));
  }

  /** The last call. */
  free(): void {
    this.#release();
  }
}

/** `poll() >>> 16`: compare it to see a change, read it with these. */
export const stateOf = {
  stage: (state: number): Stage => stages[state & 0xf]!,
  onTrial: (state: number) => (state & 0x10) !== 0,
  online: (state: number) => (state & 0x20) !== 0,
  ended: (state: number) => (state & 0x40) !== 0,
};

/** The number that `work` returns, or `ok`; a storage failure when the storage is at fault. */
function attempt(work: () => unknown): number {
  try {
    const code = work();
    return typeof code === 'number' ? code : ok;
  } catch (error) {
    if (!isStorageFailure(error)) throw error;
    return failed.storage;
  }
}
