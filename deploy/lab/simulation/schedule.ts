/**
 * One whole deployment's life, or three: 20 to 100 devices that run the shipped agent, two copies of the shipped webhook on its database,
 * and between them a broker, a store and power that fail. The first minutes are hostile; after them everything works again, and what
 * has not ended by itself is ended by an operator.
 */
import type { JSONWebKeySet } from 'jose';
import { deadlineActions, requestTopic, topics } from '#emqx/protocol.ts';
import { buildImage } from '#firmware/virtual/image.ts';
import * as deployments from '#webhook/deployments/deployments.ts';
import { policySchema, type StartRequest } from '#webhook/deployments/schema.ts';
import * as devices from '#webhook/devices/devices.ts';
import * as places from '#webhook/devices/places.ts';
import { AppError } from '#webhook/errors.ts';
import * as firmware from '#webhook/firmware/firmware.ts';
import type { FirmwareSigner } from '#webhook/firmware/signer.ts';
import { Random } from '../primitives/random.ts';
import { ModelledBroker } from './broker.ts';
import { Copy } from './copy.ts';
import type { SimulatedDatabase } from './database.ts';
import { SimulatedDevice } from './device.ts';
import { type Change, type Image, Invariants, Violation } from './invariants.ts';
import { SimulatedStore } from './store.ts';
import { VirtualTime } from './virtual-time.ts';

export interface Seen {
  devices: number;
  deployments: number;
  succeeded: number;
  otherwise: number;
  copiesDied: number;
  powerCuts: number;
  brokerRestarts: number;
  rolledBack: number;
  halts: number;
  joined: number;
}

export interface Played {
  /** What was broken, or null. */
  violation: string | null;
  seen: Seen;
  virtualMs: number;
}

/** Made once for many schedules: keys cost time, and chance must not depend on how often they are made. */
export interface Keys {
  signer: FirmwareSigner;
  trusted: JSONWebKeySet;
}

export const simulationStart = Date.UTC(2026, 0, 1, 12);
const hostileMs = 4 * 60_000;
const calmMs = 8 * 60_000;
/** After this operators end what is left; a few minutes more must close everything. */
const closingMs = 6 * 60_000;
/** After this whoever asks a copy gives up: it has died. */
const patienceMs = 20_000;
const hardware = 'esp32-s3';
const actor = 'operator';

/** Plays the seed's schedule on the (emptied) database; `trace` is told everything, with the virtual time in seconds. */
export async function play(
  database: SimulatedDatabase,
  keys: Keys,
  seed: number,
  trace: ((line: string) => void) | null = null,
): Promise<Played> {
  const random = new Random(seed);
  const time = new VirtualTime(simulationStart, random);
  const schedule = new Schedule(database, keys, random, time, trace);
  try {
    await database.begin(time, seed);
    return await schedule.play();
  } finally {
    await schedule.close();
    time.close();
  }
}

class Schedule {
  readonly #database: SimulatedDatabase;
  readonly #keys: Keys;
  readonly #random: Random;
  readonly #time: VirtualTime;
  readonly #trace: ((line: string) => void) | null;
  readonly #invariants: Invariants;
  readonly #broker: ModelledBroker;
  readonly #store: SimulatedStore;
  readonly #devices = new Map<string, SimulatedDevice>();
  readonly #images = new Map<string, Image>();
  readonly #timeZones = new Map<string, string>();
  readonly #seen: Seen = {
    devices: 0,
    deployments: 0,
    succeeded: 0,
    otherwise: 0,
    copiesDied: 0,
    powerCuts: 0,
    brokerRestarts: 0,
    rolledBack: 0,
    halts: 0,
    joined: 0,
  };
  #copies: Copy[] = [];
  #failure: unknown = null;
  #isClosing = false;
  /** What follows when it is committed that there is a deployment of this firmware, whether or not its operator was told. */
  readonly #onDeployed = new Map<string, (deploymentId: string) => void>();

  constructor(
    database: SimulatedDatabase,
    keys: Keys,
    random: Random,
    time: VirtualTime,
    trace: ((line: string) => void) | null,
  ) {
    this.#database = database;
    this.#keys = keys;
    this.#random = random;
    this.#time = time;
    this.#trace = trace;
    this.#invariants = new Invariants({
      ran: (id) => this.#devices.get(id)!.ran,
      reachable: (id) => this.#devices.get(id)!.isOnline,
      timeZone: (id) => this.#timeZones.get(id) ?? 'UTC',
      image: (id) => this.#images.get(id)!,
    });
    const calm = { breaks: 0, repeats: 0, apiFails: 0 };
    const trouble = { breaks: 0.02, repeats: 0.05, apiFails: 0.05 };
    this.#broker = new ModelledBroker(
      time,
      random,
      (row) => this.#post(row),
      () => (this.#isHostile ? trouble : calm),
    );
    this.#broker.onUplink = (deviceId, topic, payload) => {
      if (topics[topic as keyof typeof topics].class !== 'critical') return;
      const { id, seq } = JSON.parse(payload) as { id: string; seq?: unknown };
      if (seq) this.#invariants.said(deviceId, id);
    };
    this.#broker.onAsk = (deviceId, topic, payload) => {
      if (topic !== requestTopic) return;
      const { deployment, attempt } = JSON.parse(payload) as { deployment: string; attempt: number };
      this.#invariants.offered(deployment, deviceId, attempt);
    };
    this.#broker.onPublish = (deviceId, topic, payload) => {
      if (topic !== requestTopic) return;
      const { deployment, attempt } = JSON.parse(payload) as { deployment: string; attempt: number };
      this.#watch(() => this.#invariants.sent(deployment, deviceId, attempt, this.#time.now));
    };
    this.#broker.onDeliver = (deviceId, topic, payload) => {
      if (topic !== 'ack') return;
      for (const id of (JSON.parse(payload) as { ids: string[] }).ids)
        this.#watch(() => this.#invariants.acked(deviceId, id));
    };
    this.#store = new SimulatedStore(time, random, () =>
      this.#isHostile ? { wrong: 0.05, breaks: 0.02 } : { wrong: 0, breaks: 0 },
    );
  }

  async play(): Promise<Played> {
    let violation: string | null = null;
    try {
      await this.#prepare();
      await this.#time.run(
        simulationStart + hostileMs + calmMs + closingMs,
        () => this.#isOver,
        () => this.#check(),
      );
      await this.#finish();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation = error.message;
      this.#log(`VIOLATION ${violation}`);
    }
    for (const { state } of this.#invariants.targets) {
      this.#seen[state === 'succeeded' ? 'succeeded' : 'otherwise']++;
      if (state === 'rolled_back') this.#seen.rolledBack++;
    }
    for (const device of this.#devices.values()) this.#seen.powerCuts += device.powerCuts;
    return { violation, seen: this.#seen, virtualMs: this.#time.now - simulationStart };
  }

  async close(): Promise<void> {
    for (const copy of this.#copies) copy.stop();
    // What broke is known by now; a device says goodbye, which takes time.
    this.#isClosing = true;
    await this.#settled(() => Promise.all([...this.#devices.values()].map((device) => device.close())));
  }

  // What there is

  async #prepare(): Promise<void> {
    const r = this.#random;
    this.#copies = [this.#newCopy(null), this.#newCopy(null)];
    const regions = await this.#settled(async () => {
      const { context } = this.#copies[0]!;
      const home = await places.create(context.db, 'regions', { name: 'Home' }, actor);
      const east = await places.create(context.db, 'regions', { name: 'East', timeZone: 'Etc/GMT-3' }, actor);
      return { home: home.id, east: east.id };
    });
    const ids = Array.from({ length: r.int(20, 100) }, (_, i) => `dev${String(i).padStart(3, '0')}`);
    await this.#settled(async () => {
      for (const id of ids) {
        const isEast = r.chance(0.3);
        if (isEast) this.#timeZones.set(id, 'Etc/GMT-3');
        // Some have no place yet, and come to one later.
        const region = r.chance(0.15) ? undefined : isEast ? regions.east : regions.home;
        await devices.create(this.#copies[0]!.context.db, { id, hardware, name: id, region }, actor);
        if (region === undefined) this.#timeZones.delete(id);
      }
    });
    for (const id of ids) this.#makeDevice(id);
    this.#seen.devices = ids.length;
    const planned = r.int(1, 3);
    for (let n = 0; n < planned; n++) {
      const image = await this.#settled(() => this.#makeFirmware(n));
      this.#after(n * r.int(20_000, 120_000) + r.int(0, 20_000), () => this.#deploy(image, ids, regions));
    }
    for (let n = r.int(0, 2); n > 0; n--) {
      this.#after(r.int(10_000, hostileMs), () => {
        this.#log('the broker restarts');
        this.#seen.brokerRestarts++;
        this.#broker.restart(r.int(1_000, 20_000));
      });
    }
    // From here on copies die.
    for (const copy of this.#copies) copy.stop();
    this.#copies = [];
    for (const i of [0, 1]) this.#startCopy(i);
  }

  #makeDevice(id: string): void {
    const r = this.#random;
    const device = new SimulatedDevice({
      id,
      hardware,
      time: this.#time,
      random: new Random(r.int(0, 2 ** 31)),
      broker: this.#broker.portOf(id),
      http: this.#store.port(),
      signingKeys: this.#keys.trusted,
      consent: () =>
        this.#isHostile && r.chance(0.2)
          ? { reason: 'busy', ...(r.chance(0.5) && { forMs: r.int(1_000, 100_000) }) }
          : 'now',
      powerCutAtWrite: () => (this.#isHostile && r.chance(0.01) ? r.int(500, 20_000) : null),
      log: (text) => this.#log(`${id}: ${text}`),
    });
    this.#devices.set(id, device);
    // Some sleep for long, so that gates have to do without them; a few never come.
    const wakes = r.chance(0.1) ? r.int(60_000, hostileMs) : r.int(0, 20_000);
    if (!r.chance(0.03)) this.#after(wakes, () => device.powerOn());
  }

  async #makeFirmware(n: number): Promise<firmware.Firmware> {
    const r = this.#random;
    const version = `1.${n}.0`;
    const bytes = buildImage({
      version,
      sizeBytes: r.int(20, 160) * 1024,
      selfTest: r.chance(0.15) ? 'fail' : 'pass',
      seed: r.int(1, 1_000_000),
    });
    const { context } = this.#copies[0]!;
    const { s3Path } = await firmware.presignUpload(context, { version, fileName: 'app.bin' });
    this.#store.objects.set(s3Path, bytes);
    const image = await firmware.register(
      context,
      {
        version,
        fileName: 'app.bin',
        releaseNote: '',
        s3Path,
        name: 'app.bin',
        author: actor,
        hardware,
        component: 'main',
        securityVersion: r.int(0, 2),
      },
      actor,
    );
    this.#images.set(image.id, { sha256: image.sha256, component: image.component });
    return image;
  }

  // What operators do

  async #deploy(
    image: firmware.Firmware,
    ids: string[],
    regions: { home: string; east: string },
  ): Promise<void> {
    const r = this.#random;
    const byPlace = r.chance(0.5);
    const named = ids.filter(() => r.chance(0.8));
    const policy = this.#policy(byPlace);
    const request: StartRequest = {
      firmwareId: image.id,
      regions: byPlace ? [regions.home, regions.east] : [],
      divisions: [],
      all: false,
      devices: byPlace ? [] : named,
      policy: policySchema.parse(policy),
    };
    const [placed, homeless] = byPlace ? await this.#byHome() : [named, []];
    this.#onDeployed.set(image.id, (id) => {
      this.#seen.deployments++;
      for (const deviceId of placed) this.#invariants.matched(id, deviceId, this.#time.now);
      this.#meddle(id);
      for (const deviceId of policy.lateJoinersMs ? homeless : [])
        this.#after(r.int(0, hostileMs), () => this.#bringHome(deviceId, regions.home, id));
    });
    await this.#operate(`deploys ${image.version}: ${JSON.stringify(policy)}`, (copy) =>
      deployments.start(copy.context, request, actor),
    );
  }

  /** Devices that are somewhere, and those that are nowhere yet. */
  async #byHome(): Promise<[placed: string[], homeless: string[]]> {
    const all = await this.#database.query<{ id: string; placed: boolean }>(
      `select id, region_id is not null as placed from devices order by id`,
    );
    const ids = (placed: boolean) => all.filter((d) => d.placed === placed).map((d) => d.id);
    return [ids(true), ids(false)];
  }

  async #bringHome(deviceId: string, region: string, deploymentId: string): Promise<void> {
    const moved = await this.#operate(`moves ${deviceId}`, (copy) =>
      devices.change(copy.context.db, deviceId, { region }, actor),
    );
    if (moved === null) return;
    this.#seen.joined++;
    this.#invariants.matched(deploymentId, deviceId, this.#time.now);
  }

  #policy(byPlace: boolean) {
    const r = this.#random;
    const waves = r.pick([
      [{ percent: 100 }],
      [{ count: 1 }, { percent: 100 }],
      [{ count: 1 }, { percent: 30 }, { percent: 100 }],
    ]);
    return {
      waves,
      successPercent: r.pick([50, 80, 95]),
      failurePercent: r.pick([0, 20, 50, 100]),
      silencePercent: r.pick([20, 50, 100]),
      soakMs: r.pick([0, 0, 20_000]),
      maxAttempts: r.int(1, 4),
      ackTimeoutMs: 20_000,
      downloadTimeoutMs: 60_000,
      installTimeoutMs: 90_000,
      cancelTimeoutMs: 60_000,
      retryDelayMs: 3_000,
      deferralMs: r.pick([0, 60_000, 86_400_000]),
      atDeadline: r.pick(deadlineActions),
      ratePerMinute: r.pick([null, null, 10, 30]),
      gateTimeoutMs: r.pick([60_000, 120_000]),
      lateJoinersMs: byPlace ? r.pick([null, 240_000]) : null,
      // Noon here is three in the afternoon in the east: for some it closes before long, and does not open again.
      window: r.chance(0.1) ? { from: '11:00', to: '15:02' } : null,
    };
  }

  /** Anything while it is hostile; later what is halted is resumed, and in the end cancelled. */
  #meddle(id: string): void {
    const r = this.#random;
    const operate = (event: deployments.OperatorEvent) =>
      this.#operate(`${event} ${id}`, (copy) => deployments.operate(copy.context, id, event, actor));
    for (let n = r.int(0, 2); n > 0; n--) {
      const event = r.pick(['pause', 'resume', 'resume', 'retry_failed', 'cancel'] as const);
      this.#after(r.int(0, hostileMs), () => operate(event));
    }
    const look = async () => {
      const state = [...this.#invariants.deployments].find((d) => d.id === id)?.state;
      const calm = this.#time.now - simulationStart - hostileMs;
      if (calm > calmMs && state !== 'completed' && state !== 'cancelled') await operate('cancel');
      else if (calm > 0 && (state === 'paused' || state === 'halted')) await operate('resume');
      this.#after(45_000, look);
    };
    this.#after(45_000, look);
  }

  /** By any copy that lives; null when none does, when it dies meanwhile, or when the request is refused. */
  async #operate<T>(what: string, act: (copy: Copy) => Promise<T>): Promise<T | null> {
    const copy = this.#anyCopy();
    this.#log(`operator: ${what}`);
    if (!copy) return null;
    try {
      return await Promise.race([act(copy), this.#time.delay(patienceMs).then(() => null)]);
    } catch (error) {
      if (error instanceof AppError) return null;
      throw error;
    }
  }

  // Copies

  #newCopy(statements: number | null, onDeath: () => void = () => {}): Copy {
    const connection = this.#database.connect(this.#random, statements, onDeath);
    return new Copy(connection, {
      broker: this.#broker,
      objects: this.#store,
      // A signature is made on another thread: virtual time waits for it.
      signer: { sign: (manifest) => this.#time.busy(() => this.#keys.signer.sign(manifest)) },
      trustedKeys: this.#keys.trusted,
      log: (text) => this.#log(`webhook: ${text}`),
    });
  }

  /** It dies at some statement while it is hostile, and another comes up in its place. */
  #startCopy(i: number): void {
    const statements = this.#isHostile && this.#random.chance(0.7) ? this.#random.int(30, 800) : null;
    const copy = this.#newCopy(statements, () => {
      this.#log(`copy ${i} dies`);
      this.#seen.copiesDied++;
      copy.stop();
      this.#after(this.#random.int(500, 10_000), () => this.#startCopy(i));
    });
    this.#copies[i] = copy;
  }

  #anyCopy(): Copy | null {
    const alive = this.#copies.filter((copy) => copy.alive);
    return alive.length ? this.#random.pick(alive) : null;
  }

  async #post(row: Parameters<Copy['submit']>[0]): Promise<'again' | 'done'> {
    const copy = this.#anyCopy();
    if (!copy) return 'again';
    // A copy that dies answers nothing; the broker gives up waiting and sends the row again.
    const patience = this.#time.delay(patienceMs).then(() => 'again' as const);
    const answer = copy.submit(row).then(
      (taken) => {
        if (taken !== 'taken')
          throw new Violation(`a row was refused: ${taken.refused}: ${JSON.stringify(row)}`);
        return 'done' as const;
      },
      () => 'again' as const,
    );
    return Promise.race([answer.catch((error) => this.#fail(error)), patience]);
  }

  // What is seen

  async #check(): Promise<void> {
    if (this.#isClosing) return;
    if (this.#failure) throw this.#failure;
    for (const transaction of await this.#database.takeChanges()) {
      for (const change of transaction) this.#note(change);
      this.#invariants.committed(transaction);
    }
  }

  #note(change: Change): void {
    if (change.kind === 'received' || change.kind === 'removed') return;
    if (change.before?.state === change.after.state) return;
    const was = change.before?.state ?? 'new';
    if (change.kind === 'target') {
      const { deploymentId, deviceId, state, attempt } = change.after;
      this.#log(`${deploymentId}/${deviceId}: ${was} -> ${state}, attempt ${attempt}`);
      return;
    }
    const { id, firmwareId, state } = change.after;
    this.#log(`${id}: ${was} -> ${state}`);
    if (!change.before) this.#onDeployed.get(firmwareId)?.(id);
    if (state === 'halted') this.#seen.halts++;
  }

  get #isHostile(): boolean {
    return this.#time.now - simulationStart < hostileMs;
  }

  /** All is closed, and every device has been heard. */
  get #isOver(): boolean {
    if (this.#isHostile || this.#seen.deployments === 0) return false;
    return this.#invariants.isOver() && [...this.#devices.values()].every((device) => device.isSettled);
  }

  async #finish(): Promise<void> {
    this.#invariants.ended(this.#devices.keys());
    const [left] = await this.#database.query<{ n: number }>(
      `select count(*)::int as n from outbox where send_at is not null`,
    );
    if (left!.n > 0) throw new Violation(`${left!.n} commands are left in the outbox`);
    const told = await this.#database.query<{ id: string; sha256: string }>(
      `select device_id as id, sha256 from components where component = 'main'`,
    );
    const believed = new Map(told.map(({ id, sha256 }) => [id, sha256]));
    for (const [id, device] of this.#devices) {
      if (!device.isSettled) throw new Violation(`${id} has not come to rest`);
      if (device.running !== (believed.get(id) ?? null))
        throw new Violation(`${id} runs ${device.running}, and is believed to run ${believed.get(id)}`);
    }
  }

  // Small things

  /** While the world is prepared, time may pass. */
  async #settled<T>(work: () => Promise<T>): Promise<T> {
    let result: { value: T } | { error: unknown } | null = null;
    void work().then(
      (value) => {
        result = { value };
      },
      (error: unknown) => {
        result = { error };
      },
    );
    await this.#time.run(
      Number.POSITIVE_INFINITY,
      () => result !== null,
      () => this.#check(),
    );
    const done = result as unknown as { value: T } | { error: unknown };
    if ('error' in done) throw done.error;
    return done.value;
  }

  #after(ms: number, work: () => unknown): void {
    this.#time.after(ms, () => {
      Promise.resolve()
        .then(work)
        .catch((error: unknown) => this.#fail(error));
    });
  }

  /** A violation seen in the middle of something ends the schedule after it. */
  #watch(look: () => void): void {
    try {
      look();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): 'done' {
    this.#failure ??= error;
    return 'done';
  }

  #log(text: string): void {
    this.#trace?.(`${((this.#time.now - simulationStart) / 1000).toFixed(3).padStart(9)} ${text}`);
  }
}
