/**
 * One whole deployment's life, or three: 20 to 100 devices that run the shipped agent, two copies of the shipped webhook on its database,
 * and between them a broker, a store and power that fail. The first minutes are hostile; after them everything works again, and what
 * has not ended by itself is ended by an operator.
 */
import type { JSONWebKeySet } from 'jose';
import type { Firmware } from '#webhook/firmware/firmware.ts';
import type { FirmwareSigner } from '#webhook/firmware/signer.ts';
import { Random } from '../primitives/random.ts';
import { ModelledBroker } from './broker.ts';
import { Copies } from './copies.ts';
import type { SimulatedDatabase } from './database.ts';
import { Fleet } from './fleet.ts';
import { Forger } from './forger.ts';
import { createRegions, makeFactoryFirmware, makeFirmware, register } from './inventory.ts';
import { Operators } from './operators.ts';
import type { Change } from './promises/changes.ts';
import { type Image, Violation } from './promises/committed.ts';
import { Invariants } from './promises/invariants.ts';
import { Rest } from './promises/rest.ts';
import type { Seen } from './seen.ts';
import { hostileMs, Stage, simulationEnd, simulationStart } from './stage.ts';
import { SimulatedStore } from './store.ts';
import { VirtualTime } from './virtual-time.ts';
import { witness } from './witness.ts';

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

/** Plays the seed's schedule on the (emptied) database; `trace` is told everything, with the virtual time in seconds. */
export async function play(
  database: SimulatedDatabase,
  keys: Keys,
  seed: number,
  trace: (line: string) => void,
): Promise<Played> {
  const random = new Random(seed);
  const time = new VirtualTime(simulationStart, random);
  const schedule = new Schedule(database, keys, seed, new Stage(time, random, trace));
  try {
    await database.begin(time, seed);
    return await schedule.play();
  } finally {
    await schedule.close();
    time.close();
  }
}

class Schedule {
  readonly #stage: Stage;
  readonly #database: SimulatedDatabase;
  readonly #keys: Keys;
  readonly #seed: number;
  readonly #invariants: Invariants;
  readonly #rest = new Rest();
  readonly #broker: ModelledBroker;
  readonly #store: SimulatedStore;
  readonly #copies: Copies;
  readonly #fleet: Fleet;
  readonly #operators: Operators;
  readonly #images = new Map<string, Image>();
  #isClosing = false;
  /** Of whoever takes deployments back: chance of its own, so that other schedules stay those of their seeds. */
  readonly #undoRandom: Random;

  constructor(database: SimulatedDatabase, keys: Keys, seed: number, stage: Stage) {
    this.#seed = seed;
    this.#undoRandom = new Random(seed, 'back');
    const { time, random } = stage;
    this.#stage = stage;
    this.#database = database;
    this.#keys = keys;
    this.#fleet = new Fleet(stage);
    this.#invariants = new Invariants({
      ran: (id) => this.#fleet.device(id).ran,
      reachable: (id) => this.#fleet.device(id).isOnline,
      timeZone: (id) => stage.timeZones.get(id) ?? 'UTC',
      image: (id) => this.#images.get(id)!,
    });
    const calm = { breaks: 0, repeats: 0, apiFails: 0 };
    const trouble = { breaks: 0.02, repeats: 0.05, apiFails: 0.05 };
    this.#broker = new ModelledBroker(
      time,
      random,
      (row) => this.#copies.post(row),
      () => (stage.isHostile ? trouble : calm),
    );
    const forger = new Forger(stage, this.#broker, this.#fleet);
    witness(this.#broker, this.#invariants, forger, stage);
    this.#store = new SimulatedStore(time, random, () =>
      stage.isHostile ? { wrong: 0.05, breaks: 0.02 } : { wrong: 0, breaks: 0 },
    );
    this.#copies = new Copies(stage, database, {
      broker: this.#broker,
      objects: this.#store,
      // A signature is made on another thread: virtual time waits for it.
      signer: { sign: (manifest) => time.busy(() => keys.signer.sign(manifest)) },
      trustedKeys: keys.trusted,
    });
    this.#operators = new Operators(stage, this.#copies, database, this.#invariants, {
      random: this.#undoRandom,
      onUndo: (random) => forger.work(random, 12),
    });
  }

  async play(): Promise<Played> {
    const { seen, time } = this.#stage;
    let violation: string | null = null;
    try {
      await this.#prepare();
      await time.run(
        simulationEnd,
        () => this.#isOver,
        () => this.#check(),
      );
      await this.#finish();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation = error.message;
      this.#stage.log(`VIOLATION ${violation}`);
    }
    for (const { state, deploymentId } of this.#invariants.targets) {
      seen[state === 'succeeded' ? 'succeeded' : 'otherwise']++;
      if (state === 'succeeded' && this.#invariants.deployments.get(deploymentId)?.undoes) seen.takenBack++;
      if (state === 'rolled_back') seen.rolledBack++;
    }
    seen.powerCuts = this.#fleet.powerCuts;
    return { violation, seen, virtualMs: time.now - simulationStart };
  }

  async close(): Promise<void> {
    this.#copies.stop();
    // What broke is known by now; a device says goodbye, which takes time.
    this.#isClosing = true;
    await this.#settled(() => this.#fleet.close());
  }

  async #prepare(): Promise<void> {
    const { random: r, seen } = this.#stage;
    const { context } = this.#copies.startImmortal();
    const regions = await this.#settled(() => createRegions(context));
    const ids = Array.from({ length: r.int(20, 100) }, (_, i) => `dev${String(i).padStart(3, '0')}`);
    await this.#settled(() => register(context, this.#stage, ids, regions));
    for (const id of ids) {
      this.#fleet.add(id, {
        broker: this.#broker,
        store: this.#store,
        signingKeys: this.#keys.trusted,
        undos: this.#invariants.undos,
      });
    }
    seen.devices = ids.length;
    const isUndone = this.#undoRandom.chance(0.3);
    if (isUndone) this.#know(await this.#settled(() => makeFactoryFirmware(context, this.#store)));
    const planned = r.int(1, 3);
    for (let n = 0; n < planned; n++) {
      const securest = isUndone ? 0 : 2;
      const image = await this.#settled(() => makeFirmware(context, this.#stage, this.#store, n, securest));
      this.#know(image);
      this.#stage.after(n * r.int(20_000, 120_000) + r.int(0, 20_000), () =>
        this.#operators.deploy(image, ids, regions, isUndone),
      );
    }
    for (let n = r.int(0, 2); n > 0; n--) {
      this.#stage.after(r.int(10_000, hostileMs), () => {
        this.#stage.log('the broker restarts');
        seen.brokerRestarts++;
        this.#broker.restart(r.int(1_000, 20_000));
      });
    }
    this.#operators.freezeAt(new Random(this.#seed, 'freezes'));
    this.#copies.startMortal();
  }

  #know({ id, sha256, component, securityVersion }: Firmware): void {
    this.#images.set(id, { sha256, component, securityVersion });
  }

  async #check(): Promise<void> {
    if (this.#isClosing) return;
    if (this.#stage.failure) throw this.#stage.failure;
    const { now, timers } = this.#stage.time;
    this.#rest.look(now, { timers, statements: this.#database.statements });
    for (const transaction of await this.#database.takeChanges()) {
      for (const change of transaction) this.#note(change);
      this.#invariants.committed(transaction);
    }
  }

  #note(change: Change): void {
    if (change.kind !== 'target' && change.kind !== 'deployment') return;
    if (change.before?.state === change.after.state) return;
    const was = change.before?.state ?? 'new';
    if (change.kind === 'target') {
      const { deploymentId, deviceId, state, attempt } = change.after;
      this.#stage.log(`${deploymentId}/${deviceId}: ${was} -> ${state}, attempt ${attempt}`);
      this.#operators.moved(deploymentId);
      return;
    }
    const { id, state } = change.after;
    this.#stage.log(`${id}: ${was} -> ${state}`);
    this.#operators.moved(id);
    if (!change.before) this.#operators.deployed(change.after);
    if (state === 'halted') this.#stage.seen.halts++;
  }

  /** All is closed, and every device has been heard. */
  get #isOver(): boolean {
    if (this.#stage.isHostile || this.#stage.seen.deployments === 0) return false;
    return this.#invariants.isOver() && this.#fleet.isSettled();
  }

  async #finish(): Promise<void> {
    this.#invariants.ended(this.#fleet.ids);
    const [left] = await this.#database.query<{ n: number }>(
      `select count(*)::int as n from outbox where send_at is not null`,
    );
    if (left!.n > 0) throw new Violation(`${left!.n} commands are left in the outbox`);
    const told = await this.#database.query<{ id: string; sha256: string }>(
      `select device_id as id, sha256 from components where component = 'main'`,
    );
    this.#fleet.ended(new Map(told.map(({ id, sha256 }) => [id, sha256])));
  }

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
    await this.#stage.time.run(
      Number.POSITIVE_INFINITY,
      () => result !== null,
      () => this.#check(),
    );
    const done = result as unknown as { value: T } | { error: unknown };
    if ('error' in done) throw done.error;
    return done.value;
  }
}
