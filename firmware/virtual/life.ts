import { createPublicKey, type KeyObject, randomFillSync, verify as verifySignature } from 'node:crypto';
import type { UplinkTopic } from '#emqx/protocol.ts';
import { type Agent, AgentModule, type AgentView, stateOf } from './agent-module.ts';
import type { AgentPort, CrashSummary } from './agent-port.ts';
import { Flash, isStorageFailure, PowerLost } from './flash.ts';
import { HttpPort } from './http-port.ts';
import { MqttPort } from './mqtt-port.ts';
import type { Settings, Surroundings } from './options.ts';
import type { Certificates, Verify } from './port.ts';
import { Slots } from './slots.ts';
import { measure } from './telemetry.ts';

const stagingFile = 'staging.img';
/** As a core dump in its partition. */
const crashFile = 'crash.json';
/** Others get their turn after so many polls in a row. */
const pollsMax = 64;

export type Notice = 'online' | 'offline' | 'boot' | 'asked' | 'result' | 'renewed' | 'identify';

export interface LifeHooks {
  /** The device wants to start again; this life ends with it. */
  reboot(): void;
  /** Something that cannot be: also an end, and a reset. */
  fault(error: unknown): void;
  /** The program ran into something that ends it; what it left is stored. */
  crashed(): void;
  changed(): void;
  notice(event: Notice, detail?: unknown): void;
}

/** One life of the agent, from power-on to reset, and its port. What it keeps for the next is on its flash. */
export class Life {
  readonly #settings: Settings;
  readonly #around: Surroundings;
  readonly #hooks: LifeHooks;
  readonly #flash: Flash;
  readonly #bootedAt: number;
  readonly #mqtt: MqttPort;
  readonly #http: HttpPort;
  readonly #certificates: Certificates;
  #slots: Slots | null = null;
  #agent: Agent | null = null;
  /** `poll() >>> 16`. */
  #state = 0;
  #now: number;
  #alarm: { at: number; cancel: () => void } | null = null;
  /** Takes back the crash that the image has in store. */
  #doom: () => void = () => {};
  #polling = false;
  #again = false;
  #dead = false;
  /** Something that a snapshot shows has changed since `changed` was last told. */
  #touched = false;
  /** Told when the agent has returned: who hears them may do anything. */
  #notices: [Notice, unknown][] = [];

  /** Throws DeviceFault('not_enrolled'). */
  constructor(settings: Settings, around: Surroundings, hooks: LifeHooks) {
    this.#settings = settings;
    this.#around = around;
    this.#hooks = hooks;
    this.#now = this.#bootedAt = around.clock.now();
    this.#flash = new Flash(around.medium, settings.onDiskWrite);
    this.#certificates = around.certificates(this.#flash);
    const wake = () => this.#run();
    this.#mqtt = new MqttPort({
      broker: around.broker,
      pair: (which) => this.#certificates.pair(which),
      wake,
      published: (topic, payload) => this.#published(topic, payload),
    });
    this.#http = new HttpPort({
      http: around.http,
      clock: around.clock,
      wake,
      asked: (range) => this.#notices.push(['asked', range]),
    });
  }

  /** Boots. False when the storage cannot be read or written. */
  start(reason: 'power_on' | 'watchdog'): boolean {
    const { component, hardware, limits, timing, resume, patches, sealed, signingKeys } = this.#settings;
    let booted = false;
    this.#guard(() => {
      try {
        this.#slots = new Slots(this.#flash, limits.trialBoots);
      } catch (error) {
        if (isStorageFailure(error)) return;
        throw error;
      }
      const config = {
        component,
        hardware,
        slotBytes: limits.slotBytes,
        bootReason: reason,
        resume,
        patches,
        sealed,
        numbers: { ...timing, ...limits },
        keys: signingKeys,
      };
      this.#agent = AgentModule.shared().create(config, this.#port());
      booted = this.#agent.init();
      if (!booted) return;
      const { bootCount, bootReason } = this.#agent.look();
      this.#notices.push(['boot', { count: bootCount, reason: bootReason }]);
      const { crash } = this.#slots;
      if (crash) this.#doom = this.#around.clock.after(crash.afterMs, () => this.crash(crash));
    });
    this.#sweep();
    if (booted && !this.#dead) this.#run();
    return booted;
  }

  get online(): boolean {
    return stateOf.online(this.#state);
  }

  get onTrial(): boolean {
    return stateOf.onTrial(this.#state);
  }

  get stage() {
    return stateOf.stage(this.#state);
  }

  get slots(): Slots | null {
    return this.#slots;
  }

  get certificates(): Certificates {
    return this.#certificates;
  }

  /** Null before it has booted and after its end. */
  look(): AgentView | null {
    return this.#agent?.look() ?? null;
  }

  /** What a panic handler does: stores what there is to say, and resets. */
  crash(summary: Partial<CrashSummary>): void {
    if (this.#dead) return;
    const { random } = this.#settings;
    const { id, reason, task, elf, pc, backtrace } = summary;
    const at = pc ?? 0x4200_1000;
    this.#guard(() =>
      this.#flash.replaceText(
        crashFile,
        JSON.stringify({
          ...{ id: id ?? `${Math.floor((random ?? Math.random)() * 2 ** 52).toString(16)}`, task },
          ...{ reason: reason ?? 'abort() was called', elf: elf ?? this.#slots!.running.sha256 },
          ...{ pc: at, backtrace: backtrace ?? [at] },
        } satisfies CrashSummary),
      ),
    );
    if (!this.#dead) this.#hooks.crashed();
  }

  /** Everything stops at once; nothing reaches the flash any more. */
  kill(): void {
    this.#flash.cut();
    this.#mqtt.destroy();
    this.#stop();
  }

  /** An orderly end: saves how far a download got and says goodbye to the broker. */
  end(done: () => void): void {
    if (!this.#polling && !this.#dead) this.#guard(() => this.#agent?.suspend());
    this.#flash.cut();
    this.#mqtt.end('switched off', done);
    this.#stop();
  }

  #stop(): void {
    this.#dead = true;
    this.#doom();
    this.#alarm?.cancel();
    this.#alarm = null;
    this.#http.stop();
    this.#around.http.release();
    this.#sweep();
  }

  /** Gives back what a life that is over holds; not while its agent is in the middle of something. */
  #sweep(): void {
    if (!this.#dead || this.#polling) return;
    this.#agent?.free();
    this.#agent = null;
    this.#around.medium.close();
  }

  /** Lets the agent do what is due. */
  #run(): void {
    this.#again = true;
    if (this.#polling || this.#dead || !this.#agent) return;
    const agent = this.#agent;
    for (let polls = 0; ; polls++) {
      this.#again = false;
      this.#now = this.#around.clock.now();
      let told = 0;
      this.#guard(() => {
        told = agent.poll();
      });
      if (!this.#dead) this.#settle(told >>> 16);
      if (this.#dead) {
        this.#sweep();
        return;
      }
      const waitMs = told & 0xffff;
      if ((waitMs > 0 && !this.#again) || polls >= pollsMax) {
        this.#wakeAfter(this.#again ? 0 : waitMs);
        return;
      }
    }
  }

  /** Tells what the last poll has changed. */
  #settle(state: number): void {
    const before = this.#state;
    this.#state = state;
    if (stateOf.online(state) !== stateOf.online(before))
      this.#notices.push(stateOf.online(state) ? ['online', undefined] : ['offline', this.#mqtt.why]);
    // A connection that is not needed costs more memory than the rest of the device.
    if (isDownloading(before) && !isDownloading(state)) this.#around.http.release();
    const touched = this.#touched || state !== before;
    this.#touched = false;
    for (const [event, detail] of this.#notices.splice(0)) this.#hooks.notice(event, detail);
    if (touched) this.#hooks.changed();
    if (stateOf.ended(state) && !this.#dead) this.#hooks.reboot();
  }

  #wakeAfter(delayMs: number): void {
    const at = this.#now + delayMs;
    // One that comes too early costs less than another timer.
    if (this.#alarm && this.#alarm.at <= at) return;
    this.#alarm?.cancel();
    const cancel = this.#around.clock.after(delayMs, () => {
      this.#alarm = null;
      this.#run();
    });
    this.#alarm = { at, cancel };
  }

  /** Runs what may call the port. A firmware that finds itself in a state it cannot explain starts again. */
  #guard(task: () => void): void {
    this.#polling = true;
    try {
      task();
    } catch (error) {
      if (!this.#dead && !(error instanceof PowerLost)) this.#hooks.fault(error);
    } finally {
      this.#polling = false;
    }
  }

  #published(topic: string, payload: Uint8Array): void {
    this.#settings.onPublish?.(topic as UplinkTopic);
    if (topic === 'firmware/download/result')
      this.#notices.push(['result', JSON.parse(Buffer.from(payload).toString())]);
  }

  #port(): AgentPort {
    const flash = this.#flash;
    const { id, log, random, mayInstall, mayReboot } = this.#settings;
    const { clock, verify } = this.#around;
    const touch = () => {
      this.#touched = true;
    };
    const certificates = this.#certificates;
    return {
      mqtt: this.#mqtt.port,
      http: this.#http.port,
      staging: {
        bytes: () => flash.size(stagingFile),
        write: (offset, data) => {
          touch();
          flash.writeAt(stagingFile, offset, data);
        },
        read: (offset, target) => flash.readAt(stagingFile, offset, target),
        sync: () => flash.sync(stagingFile),
        clear: () => flash.size(stagingFile) > 0 && flash.remove(stagingFile),
      },
      store: {
        read: (key) => flash.read(`${key}.bin`),
        write: (key, data) => {
          touch();
          flash.replace(`${key}.bin`, data);
        },
      },
      certificates: {
        get validity() {
          return certificates.validity;
        },
        get renewal() {
          return certificates.renewal;
        },
        pair: (which) => certificates.pair(which),
        request: () => certificates.request(),
        store: (certificate, chain) => certificates.store(certificate, chain),
        promote: () => {
          certificates.promote();
          this.#notices.push(['renewed', undefined]);
        },
        drop: () => certificates.drop(),
      },
      slots: this.#slots!,
      crash: {
        read: () => {
          const text = flash.readText(crashFile);
          return text === null ? null : (JSON.parse(text) as CrashSummary);
        },
        forget: () => flash.remove(crashFile),
      },
      mayInstall,
      mayReboot,
      verify,
      uptimeMs: () => this.#now - this.#bootedAt + 1,
      unixMs: () => clock.unixMs(),
      random: (target) => {
        if (!random) randomFillSync(target);
        else for (let i = 0; i < target.length; i++) target[i] = Math.floor(random() * 256);
      },
      log: (level, text) => log(level, text, { device: id }),
      telemetry: (index) =>
        measure(index, {
          uptimeMs: this.#now - this.#bootedAt,
          leakBytesPerS: this.#slots!.leakBytesPerS,
          unixMs: clock.unixMs(),
          reconnects: Math.max(0, this.#mqtt.connects - 1),
          random: random ?? Math.random,
        }),
      command: (name) => {
        if (name !== 'identify') return null;
        this.#notices.push(['identify', undefined]);
        return '';
      },
    };
  }
}

function isDownloading(state: number): boolean {
  const stage = stateOf.stage(state);
  return stage === 'accepted' || stage === 'downloading';
}

/** The devices of a process mostly trust the same keys. */
const publicKeys = new Map<string, KeyObject>();

/** By this machine's OpenSSL. */
export const verifyByOpenSsl: Verify = (xy, message, signature) => {
  const bytes = Buffer.from(xy);
  const name = bytes.toString('base64');
  let key = publicKeys.get(name);
  if (!key) {
    const [x, y] = [bytes.subarray(0, 32).toString('base64url'), bytes.subarray(32).toString('base64url')];
    try {
      key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
    } catch {
      // Not a point of the curve.
      return false;
    }
    publicKeys.set(name, key);
  }
  return verifySignature('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
};
