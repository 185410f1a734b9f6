/** The devices of one schedule. */
import type { JSONWebKeySet } from 'jose';
import { Random } from '../primitives/random.ts';
import type { ModelledBroker } from './broker.ts';
import { SimulatedDevice } from './device.ts';
import { Violation } from './promises/committed.ts';
import type { Undos } from './promises/undos.ts';
import { hardware, hostileMs, type Stage } from './stage.ts';
import type { SimulatedStore } from './store.ts';

export interface Reached {
  broker: ModelledBroker;
  store: SimulatedStore;
  signingKeys: JSONWebKeySet;
  undos: Undos;
}

export class Fleet {
  readonly #stage: Stage;
  readonly #devices = new Map<string, SimulatedDevice>();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** It comes within seconds; some sleep for long, so that gates have to do without them; a few never come. */
  add(id: string, { broker, store, signingKeys, undos }: Reached): void {
    const { random: r, time } = this.#stage;
    const device = new SimulatedDevice({
      id,
      hardware,
      time,
      random: new Random(r.int(0, 2 ** 31)),
      broker: broker.portOf(id),
      http: store.port(() => this.#stage.watch(() => undos.downloads(id, device.deployment))),
      signingKeys,
      consent: () =>
        this.#stage.isHostile && r.chance(0.2)
          ? { reason: 'busy', ...(r.chance(0.5) && { forMs: r.int(1_000, 100_000) }) }
          : 'now',
      powerCutAtWrite: () => (this.#stage.isHostile && r.chance(0.01) ? r.int(500, 20_000) : null),
      onConfirmed: () => this.#stage.watch(() => undos.confirmed(id)),
      log: (text) => this.#stage.log(`${id}: ${text}`),
    });
    this.#devices.set(id, device);
    const wakes = r.chance(0.1) ? r.int(60_000, hostileMs) : r.int(0, 20_000);
    if (!r.chance(0.03)) this.#stage.after(wakes, () => device.powerOn());
  }

  get ids(): Iterable<string> {
    return this.#devices.keys();
  }
  get powerCuts(): number {
    return [...this.#devices.values()].reduce((sum, device) => sum + device.powerCuts, 0);
  }

  device(id: string): SimulatedDevice {
    return this.#devices.get(id)!;
  }

  isSettled(): boolean {
    return [...this.#devices.values()].every((device) => device.isSettled);
  }

  /** `believed`: digests by device, as the database has them. */
  ended(believed: ReadonlyMap<string, string>): void {
    for (const [id, device] of this.#devices) {
      if (!device.isSettled) throw new Violation(`${id} has not come to rest: ${device.doing}`);
      if (device.running !== (believed.get(id) ?? null))
        throw new Violation(`${id} runs ${device.running}, and is believed to run ${believed.get(id)}`);
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#devices.values()].map((device) => device.close()));
  }
}
