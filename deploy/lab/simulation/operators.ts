/** What operators do: deploy, move devices, and anything to a deployment while it is hostile; in the end they close what is left. */
import * as deployments from '#webhook/deployments/deployments.ts';
import { policySchema, type StartRequest } from '#webhook/deployments/schema.ts';
import { undo } from '#webhook/deployments/undo.ts';
import * as devices from '#webhook/devices/devices.ts';
import { everything } from '#webhook/devices/reach.ts';
import { defaultChannel } from '#webhook/devices/table.ts';
import { AppError } from '#webhook/errors.ts';
import type { Firmware } from '#webhook/firmware/firmware.ts';
import * as freezes from '#webhook/freezes/freezes.ts';
import type { Random } from '../primitives/random.ts';
import type { Copies } from './copies.ts';
import type { Copy } from './copy.ts';
import type { SimulatedDatabase } from './database.ts';
import type { Regions } from './inventory.ts';
import { anyPolicy } from './policies.ts';
import type { DeploymentRow } from './promises/changes.ts';
import type { Invariants } from './promises/invariants.ts';
import { actor, calmMs, hostileMs, patienceMs, quietMs, type Stage } from './stage.ts';

/** What they take back. */
export interface Undoing {
  random: Random;
  /** There is one. */
  onUndo: (random: Random) => void;
}

export class Operators {
  readonly #stage: Stage;
  readonly #copies: Copies;
  readonly #database: SimulatedDatabase;
  readonly #invariants: Invariants;
  /** What follows when it is committed that there is a deployment of this firmware, whether or not its operator was told. */
  readonly #onDeployed = new Map<string, (deploymentId: string) => void>();
  #override: string | undefined;
  readonly #movedAt = new Map<string, number>();
  readonly #undoing: Undoing;

  constructor(
    stage: Stage,
    copies: Copies,
    database: SimulatedDatabase,
    invariants: Invariants,
    undoing: Undoing,
  ) {
    this.#undoing = undoing;
    this.#stage = stage;
    this.#copies = copies;
    this.#database = database;
    this.#invariants = invariants;
  }

  /** At times all rollouts are frozen for a while; a deployment or two may override it. */
  freezeAt(random: Random): void {
    if (!random.chance(0.2)) return;
    this.#override = random.chance(0.3) ? 'Simulated recall' : undefined;
    this.#stage.after(random.int(20_000, hostileMs), async () => {
      const day = new Date(this.#stage.time.now).toISOString().slice(0, 10);
      const days = { firstDay: day, lastDay: day, timeZone: 'UTC' };
      const freeze = await this.#operate('freezes all', (copy) =>
        freezes.create(copy.context.db, { name: 'Simulated', ...days }, actor),
      );
      if (!freeze) return;
      this.#stage.seen.freezes++;
      this.#stage.after(random.int(10_000, 120_000), () =>
        this.#operate('thaws', (copy) => freezes.remove(copy.context.db, freeze.id, actor)),
      );
    });
  }

  async deploy(image: Firmware, ids: string[], regions: Regions, isUndone: boolean): Promise<void> {
    const { random: r, seen, time } = this.#stage;
    const byPlace = r.chance(0.5);
    const named = ids.filter(() => r.chance(0.8));
    const policy = anyPolicy(r, { byPlace });
    const request: StartRequest = {
      firmwareId: image.id,
      regions: byPlace ? [regions.home, regions.east] : [],
      divisions: [],
      all: false,
      devices: byPlace ? [] : named,
      channels: [defaultChannel],
      overrideFreeze: this.#override,
      policy: policySchema.parse(policy),
    };
    const [placed, homeless] = byPlace ? await this.#byHome() : [named, []];
    this.#onDeployed.set(image.id, (id) => {
      seen.deployments++;
      for (const deviceId of placed) this.#invariants.matched(id, deviceId, time.now);
      this.#meddle(id);
      if (isUndone) this.#undoLater(id, image, named);
      for (const deviceId of policy.lateJoinersMs ? homeless : [])
        this.#stage.after(r.int(0, hostileMs), () => this.#bringHome(deviceId, regions.home, id));
    });
    await this.#operate(`deploys ${image.version}: ${JSON.stringify(policy)}`, (copy) =>
      deployments.start(copy.context, everything, request, actor),
    );
  }

  /** A deployment is there: the first of its firmware, or one that an undo has brought about. */
  deployed({ id, firmwareId, undoes }: DeploymentRow): void {
    const follows = undoes === null && this.#onDeployed.get(firmwareId);
    if (follows) {
      this.#onDeployed.delete(firmwareId);
      follows(id);
      return;
    }
    this.#stage.seen.deployments++;
    this.#meddle(id);
    if (undoes === null) return;
    this.#stage.seen.undos++;
    this.#undoing.onUndo(this.#undoing.random);
  }

  /** At times a deployment is taken back, as far as it has come; and at times its image is tried once more. */
  #undoLater(id: string, image: Firmware, named: string[]): void {
    const { random: r } = this.#undoing;
    if (!r.chance(0.7)) return;
    const policy = () => policySchema.parse(anyPolicy(r, { byPlace: false }));
    const request = { others: r.chance(0.5), policy: policy() };
    const again = r.chance(0.5) ? policy() : null;
    // In the midst of it, or when it is through.
    const afterMs = r.chance(0.5) ? r.int(8_000, 60_000) : r.int(60_000, 240_000);
    this.#stage.after(afterMs, async () => {
      const done = await this.#operate(`undoes ${id}`, (copy) =>
        undo(copy.context, everything, id, request, actor),
      );
      if (!done || !again) return;
      this.#stage.after(r.int(20_000, 120_000), () =>
        this.#operate(`deploys ${image.version} again`, (copy) => {
          const whole = {
            regions: [],
            divisions: [],
            all: false,
            devices: named,
            channels: [defaultChannel],
          };
          const request = { ...whole, firmwareId: image.id, policy: again };
          return deployments.start(copy.context, everything, request, actor);
        }),
      );
    });
  }

  /** A deployment or a target of it is in another state. */
  moved(deploymentId: string): void {
    this.#movedAt.set(deploymentId, this.#stage.time.now);
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
      devices.change(copy.context.db, everything, deviceId, { region }, actor),
    );
    if (moved === null) return;
    this.#stage.seen.joined++;
    this.#invariants.matched(deploymentId, deviceId, this.#stage.time.now);
  }

  /** Later what is halted is resumed, and in the end cancelled. */
  #meddle(id: string): void {
    const { random: r } = this.#stage;
    const operate = (event: deployments.OperatorEvent) =>
      this.#operate(`${event} ${id}`, (copy) =>
        deployments.operate(copy.context, everything, id, event, actor),
      );
    for (let n = r.int(0, 2); n > 0; n--) {
      const event = r.pick(['pause', 'resume', 'resume', 'retry_failed', 'cancel'] as const);
      this.#stage.after(r.int(0, hostileMs), () => operate(event));
    }
    const look = async () => {
      const state = this.#invariants.deployments.get(id)?.state;
      if (state === 'completed' || state === 'cancelled') return;
      const { calmForMs, time } = this.#stage;
      const quietForMs = Math.min(calmForMs, time.now - this.#movedAt.get(id)!);
      if (calmForMs > calmMs || quietForMs > quietMs) await operate('cancel');
      else if (calmForMs > 0 && (state === 'paused' || state === 'halted')) await operate('resume');
      this.#stage.after(45_000, look);
    };
    this.#stage.after(45_000, look);
  }

  /** By any copy that lives; null when none does, when it dies meanwhile, or when the request is refused. */
  async #operate<T>(what: string, act: (copy: Copy) => Promise<T>): Promise<T | null> {
    const copy = this.#copies.any();
    this.#stage.log(`operator: ${what}`);
    if (!copy) return null;
    try {
      return await Promise.race([act(copy), this.#stage.time.delay(patienceMs).then(() => null)]);
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#stage.log(`refused: ${error.code}`);
      return null;
    }
  }
}
