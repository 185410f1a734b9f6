/**
 * One schedule: a few devices, one to three deployments, two copies of the webhook, an hour of virtual time. The first minutes are
 * hostile; after them everything works again, and what has not ended by itself is ended by an operator.
 */
import { mainComponent } from '#emqx/protocol.ts';
import { step } from '../deployments/machine.ts';
import { defaultRollout, type RolloutPolicy } from '../deployments/policy.ts';
import { createRollout, type RolloutEvent, stepRollout } from '../deployments/rollout.ts';
import { Clock } from './clock.ts';
import type { Input, Machines, Outcome, Work } from './connection.ts';
import { Copy } from './copy.ts';
import {
  type Agent,
  createDevice,
  type Device,
  type DeviceEvent,
  type Image,
  stepDevice,
  type Uplink,
} from './device.ts';
import { keyOf } from './ingest.ts';
import { Invariants, Violation } from './invariants.ts';
import { Random } from './random.ts';
import { type DeploymentRow, type OutboxRow, Store } from './store.ts';

export const realMachines: Machines & Agent = {
  step,
  stepRollout,
  locksRollouts: true,
  keepsWindows: true,
  leavesOvertaken: true,
  keepsComponentsApart: true,
  remembers: true,
  acceptsDowngrades: false,
};

export interface Played {
  /** What was broken, or null. */
  violation: string | null;
  /** What has happened in it, so that a run shows that it was no empty one. */
  seen: Seen;
}
export interface Seen {
  events: number;
  deaths: number;
  crashes: number;
  lost: number;
  halts: number;
  joined: number;
  /** Successful updates of a child component. */
  children: number;
  windows: number;
  succeeded: number;
  otherwise: number;
}

export function nothingSeen(): Seen {
  return {
    events: 0,
    deaths: 0,
    crashes: 0,
    lost: 0,
    halts: 0,
    joined: 0,
    children: 0,
    windows: 0,
    succeeded: 0,
    otherwise: 0,
  };
}

const childComponent = 'uno';
const hostileMs = 5 * 60_000;
const calmMs = 30 * 60_000;
/** After this operators end what is left; a few minutes more must close everything. */
const closingMs = 15 * 60_000;
const pollMs = 5_000;

/** Plays the seed's schedule; `trace` is told everything, with the virtual time in seconds. */
export function play(
  seed: number,
  machines: Machines & Agent = realMachines,
  trace: ((line: string) => void) | null = null,
): Played {
  return new Schedule(seed, machines, trace).play();
}

interface Site {
  device: Device;
  connected: boolean;
  /** Never speaks again. */
  dead: boolean;
  ran: Set<string>;
}

class Schedule {
  readonly #random: Random;
  readonly #clock = new Clock();
  readonly #store = new Store();
  readonly #machines: Machines & Agent;
  readonly #trace: ((line: string) => void) | null;
  readonly #invariants: Invariants;
  readonly #sites = new Map<string, Site>();
  readonly #copies: { copy: Copy; alive: boolean; life: number }[] = [];
  readonly #seen = nothingSeen();
  readonly #start: number;

  constructor(seed: number, machines: Machines & Agent, trace: ((line: string) => void) | null) {
    this.#random = new Random(seed);
    this.#machines = machines;
    this.#trace = trace;
    this.#start = this.#clock.now;
    this.#invariants = new Invariants((id) => this.#sites.get(id)!.ran);
  }

  play(): Played {
    let violation: string | null = null;
    try {
      this.#prepare();
      const end = this.#start + hostileMs + calmMs + closingMs;
      while (!this.#isOver() && this.#clock.advance(end)) this.#seen.events++;
      this.#invariants.ended(this.#store);
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      violation = error.message;
      this.#log(() => `VIOLATION ${violation}`);
    }
    for (const t of this.#store.tables.targets.values()) {
      this.#seen[t.state === 'succeeded' ? 'succeeded' : 'otherwise']++;
      if (t.state === 'succeeded' && t.component !== mainComponent) this.#seen.children++;
    }
    for (const d of this.#store.tables.deployments.values()) if (d.rollout.halted) this.#seen.halts++;
    return { violation, seen: this.#seen };
  }

  #prepare(): void {
    const r = this.#random;
    for (let i = 0; i < 2; i++) {
      this.#copies.push({ copy: this.#newCopy(), alive: true, life: 0 });
      this.#poll(i);
    }
    const image = (name: string, securityVersion: number, component = mainComponent): Image => ({
      component,
      sha256: name,
      securityVersion,
      size: r.int(40, 200),
      selfTest: !r.chance(0.15),
    });
    const factory = { ...image('factory', r.int(0, 1)), selfTest: true };
    const ids = Array.from({ length: r.int(2, 6) }, (_, i) => `dev${i}`);
    for (const id of ids) {
      const child = r.chance(0.6) ? { ...factory, component: childComponent, sha256: 'factory-uno' } : null;
      const device = createDevice(id, factory, child);
      const ran = new Set([factory.sha256, 'factory-uno']);
      stepDevice(device, { type: 'start' }, r, this.#machines);
      this.#sites.set(id, { device, connected: false, dead: false, ran });
      const timeZone = r.chance(0.2) ? 'Etc/GMT-1' : 'UTC';
      const row = {
        id,
        timeZone,
        matches: [],
        reachable: false,
        running: {},
      };
      this.#store.tables.devices.set(id, row);
      // Some sleep for long, so that gates have to do without them.
      const wakes = r.chance(0.1) ? r.int(60_000, hostileMs) : r.int(0, 20_000);
      this.#clock.after(wakes, () => this.#connect(id));
      this.#live(id);
    }
    const count = r.int(1, 3);
    for (let order = 0; order < count; order++) {
      const devices = ids.filter(() => r.chance(order === 0 ? 0.9 : 0.7));
      const row: DeploymentRow = {
        id: `deployment${order}`,
        order,
        image: image(`image${order}`, r.int(0, 2), r.chance(0.35) ? childComponent : mainComponent),
        rollout: createRollout(this.#policy(), null),
        nextLookAt: null,
        sweptAt: null,
      };
      for (const id of devices) {
        const device = this.#store.tables.devices.get(id)!;
        this.#store.tables.devices.set(id, { ...device, matches: [...device.matches, row.id] });
      }
      this.#clock.after(r.int(0, 120_000) * order, () => {
        const now = this.#clock.now;
        const startAt = r.chance(0.3) ? now + r.int(0, 60_000) : null;
        const { sha256, component } = row.image;
        this.#log(
          () => `${row.id} of ${sha256} for ${component} made: ${JSON.stringify(row.rollout.policy)}`,
        );
        this.#store.tables.deployments.set(row.id, {
          ...row,
          rollout: { ...row.rollout, startAt },
          nextLookAt: now,
        });
        for (const id of devices) this.#invariants.matched(row.id, id, now);
        if (row.rollout.policy.window) this.#seen.windows++;
        this.#plan(row.id);
        const later = ids.filter((id) => !devices.includes(id));
        for (const id of row.rollout.policy.lateJoinersMs === null ? [] : later) {
          this.#clock.after(r.int(0, hostileMs), () => {
            this.#log(() => `${id} comes to match ${row.id}`);
            this.#seen.joined++;
            this.#run(r.int(0, 1), (copy) => copy.move(id, row.id));
          });
        }
      });
    }
  }

  #policy(): RolloutPolicy {
    const r = this.#random;
    const gate = () => ({
      successPercent: r.pick([50, 90, 100]),
      failurePercent: r.pick([0, 20, 50, 100]),
      silencePercent: r.pick([20, 50, 100]),
      soakMs: r.pick([0, 0, 20_000]),
    });
    const waves = r.pick([
      [{ percent: 100 }],
      [{ count: 1 }, { percent: 100 }],
      [{ count: 1 }, { percent: 50 }, { percent: 100 }],
    ]);
    return {
      ...defaultRollout,
      maxAttempts: r.int(1, 3),
      ackTimeoutMs: 20_000,
      downloadTimeoutMs: 60_000,
      installTimeoutMs: 60_000,
      cancelTimeoutMs: 60_000,
      retryDelayMs: 3_000,
      ratePerMinute: r.pick([null, null, 1, 3]),
      // The clock starts at 00:16:40; an hour further east this one closes before long, and does not open again.
      window: r.chance(0.1) ? { from: '00:18', to: '01:20', days: ['thu'] } : null,
      gateTimeoutMs: r.pick([null, 60_000, 86_400_000]),
      lateJoinersMs: r.pick([null, null, 240_000]),
      waves: waves.map((upTo) => ({ ...gate(), upTo })) as RolloutPolicy['waves'],
    };
  }

  /** What operators do: anything while it is hostile; later they resume what is halted, and in the end they cancel. */
  #plan(id: string): void {
    const r = this.#random;
    const operate = (event: RolloutEvent) => {
      this.#log(() => `operator: ${event.type} ${id}`);
      this.#run(r.int(0, 1), (copy) => copy.operate(id, event));
    };
    for (let n = r.int(0, 3); n > 0; n--) {
      const type = r.pick(['pause', 'resume', 'resume', 'retry_failed', 'cancel'] as const);
      this.#clock.after(r.int(0, hostileMs), () => operate({ type }));
    }
    const look = () => {
      const { rollout } = this.#store.tables.deployments.get(id)!;
      // A retry may open a completed one again.
      const calm = this.#clock.now - this.#start - hostileMs;
      if (calm > calmMs && rollout.finishedAt === null) operate({ type: 'cancel' });
      else if (calm > 0 && (rollout.state === 'paused' || rollout.state === 'halted'))
        operate({ type: 'resume' });
      this.#clock.after(60_000, look);
    };
    this.#clock.after(60_000, look);
  }

  get #isHostile(): boolean {
    return this.#clock.now - this.#start < hostileMs;
  }

  /** All is closed, nothing is under way and every device has been heard. */
  #isOver(): boolean {
    if (this.#isHostile || this.#store.tables.outbox.size > 0) return false;
    for (const d of this.#store.tables.deployments.values()) if (d.rollout.finishedAt === null) return false;
    for (const s of this.#sites.values())
      if (!s.dead && (s.device.job || s.device.unacked.length)) return false;
    for (const t of this.#store.tables.targets.values())
      if (t.deadlineAt !== null || t.nextAttemptAt !== null) return false;
    return true;
  }

  // Copies

  #newCopy(): Copy {
    return new Copy({
      store: this.#store,
      machines: this.#machines,
      invariants: this.#invariants,
      now: () => this.#clock.now,
      publish: (row, deployment) => this.#publish(row, deployment),
      acknowledge: (deviceId, ids) => {
        for (const id of ids) this.#invariants.acked(`${deviceId}/${id}`);
        this.#deliver(deviceId, { type: 'acked', ids });
      },
      trace: (text) => this.#log(text),
    });
  }

  #poll(i: number): void {
    this.#run(i, (copy) => copy.dispatch());
    this.#clock.after(this.#random.int(500, pollMs), () => this.#poll(i));
  }

  /** Work goes on statement by statement until it ends or its copy dies; a dead copy takes none. */
  #run(i: number, start: (copy: Copy) => Work, onDeath: () => void = () => {}): void {
    const host = this.#copies[i]!;
    if (!host.alive) {
      onDeath();
      return;
    }
    const { life } = host;
    const work = start(host.copy);
    const next = () => {
      if (host.life !== life) return onDeath();
      if (this.#isHostile && this.#random.chance(0.003)) {
        this.#kill(i);
        return onDeath();
      }
      if (!work.next().done) this.#clock.after(this.#random.int(0, 12), next);
    };
    next();
  }

  #kill(i: number): void {
    const host = this.#copies[i]!;
    this.#log(() => `copy ${i} dies`);
    this.#seen.deaths++;
    host.copy.die();
    host.alive = false;
    host.life++;
    this.#clock.after(this.#random.int(500, 20_000), () => {
      host.copy = this.#newCopy();
      host.alive = true;
    });
  }

  // Network

  /** How many copies of a message arrive, and each one's delay. */
  #arrivals(): number[] {
    const r = this.#random;
    if (!this.#isHostile) return [r.int(5, 200)];
    const roll = r.next();
    if (roll < 0.15) this.#seen.lost++;
    const copies = roll < 0.15 ? 0 : roll < 0.3 ? 2 : 1;
    return Array.from({ length: copies }, () => (r.chance(0.1) ? r.int(1_000, 90_000) : r.int(5, 2_000)));
  }

  #uplink(input: Input): void {
    for (const delay of this.#arrivals()) this.#clock.after(delay, () => this.#post(input));
  }

  /** The broker's action: to either copy, sometimes two messages as one group; after a broken connection, sometimes again. */
  #post(input: Input): void {
    const r = this.#random;
    const again = () => {
      if (r.chance(0.5)) this.#clock.after(r.int(100, 3_000), () => this.#post(input));
    };
    const group = r.chance(0.1) && 'event' in input ? [input, { subscribed: input.deviceId }] : [input];
    this.#run(r.int(0, 1), (copy) => copy.ingest(group), again);
  }

  #publish(row: OutboxRow, deployment: DeploymentRow): Outcome {
    const site = this.#sites.get(row.deviceId)!;
    if (this.#isHostile && this.#random.chance(0.05)) return 'failed';
    this.#log(() => `→ ${row.deviceId}: ${row.type} ${row.deploymentId} attempt ${row.attempt}`);
    if (!site.connected) return 'no_subscriber';
    const target = this.#store.tables.targets.get(`${row.deploymentId}/${row.deviceId}`)!;
    const { timeZone } = this.#store.tables.devices.get(row.deviceId)!;
    if (row.type === 'request') this.#invariants.sent(deployment, target, timeZone, this.#clock.now);
    const { type, deploymentId, attempt } = row;
    this.#deliver(
      row.deviceId,
      type === 'cancel'
        ? { type, deploymentId, attempt }
        : { type, deploymentId, attempt, image: deployment.image },
    );
    return 'routed';
  }

  #deliver(deviceId: string, event: DeviceEvent): void {
    const site = this.#sites.get(deviceId)!;
    for (const delay of this.#arrivals()) {
      this.#clock.after(delay, () => {
        if (site.connected && !site.dead) this.#act(site, event);
      });
    }
  }

  // Devices

  /** Works, crashes, loses its connection, says again what was not acked. */
  #live(id: string): void {
    const r = this.#random;
    const site = this.#sites.get(id)!;
    const next = () => {
      if (site.dead) return;
      if (this.#isHostile && r.chance(0.002)) {
        this.#log(() => `${id} is dead for good`);
        site.dead = true;
        site.connected = false;
        return;
      }
      if (this.#isHostile && r.chance(0.04)) {
        this.#log(() => `${id} crashes`);
        this.#seen.crashes++;
        site.connected = false;
        this.#act(site, { type: 'crash' });
        this.#clock.after(r.int(500, 15_000), () => this.#connect(id));
      } else if (site.connected && this.#isHostile && r.next() < 0.04) {
        site.connected = false;
        this.#clock.after(r.int(500, 60_000), () => this.#connect(id));
      } else {
        if (!site.connected && !this.#isHostile) this.#connect(id);
        this.#act(site, { type: 'work' });
        if (site.connected) for (const message of site.device.unacked) this.#uplink(message);
      }
      this.#clock.after(r.int(2_000, 8_000), next);
    };
    this.#clock.after(r.int(0, 5_000), next);
  }

  #connect(id: string): void {
    const site = this.#sites.get(id)!;
    if (site.dead || site.connected) return;
    site.connected = true;
    this.#uplink({ subscribed: id });
  }

  #act(site: Site, event: DeviceEvent): void {
    const { device } = site;
    const before = [device.running, device.child?.image];
    const was = device.job?.stage;
    const said: Uplink[] = stepDevice(device, event, this.#random, this.#machines);
    [device.running, device.child?.image].forEach((image, i) => {
      const old = before[i];
      if (!image || !old || image === old) return;
      const rolledBack = was === 'trial';
      if (!rolledBack && image.securityVersion < old.securityVersion) {
        throw new Violation(
          `${device.id} installed securityVersion ${image.securityVersion} over ${old.securityVersion}`,
        );
      }
      site.ran.add(image.sha256);
    });
    if (!site.connected) return;
    for (const message of said) {
      this.#log(
        () =>
          `${device.id}: ${JSON.stringify(message.event)} of ${message.deploymentId ?? 'itself'} (${keyOf(message)})`,
      );
      this.#uplink(message);
    }
  }

  #log(text: () => string): void {
    this.#trace?.(`${((this.#clock.now - this.#start) / 1000).toFixed(3).padStart(10)}  ${text()}`);
  }
}
