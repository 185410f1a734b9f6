/** Somebody who holds the broker: hears every command, and sends devices back with orders that nobody has signed for them. */
import { randomUUID } from 'node:crypto';
import { requestTopic } from '#emqx/protocol.ts';
import type { Random } from '../primitives/random.ts';
import type { ModelledBroker } from './broker.ts';
import type { Fleet } from './fleet.ts';
import { readRequest } from './requests.ts';
import type { Stage } from './stage.ts';

const weekMs = 7 * 24 * 3_600_000;

interface Signed {
  /** With `undo` where it is an order. */
  payload: { sha256: string; undo?: { deployment: string; leaves: string } };
  jws: string;
}

export class Forger {
  readonly #stage: Stage;
  readonly #broker: ModelledBroker;
  readonly #fleet: Fleet;
  /** By the digest of what they are for. */
  readonly #manifests = new Map<string, Signed>();
  readonly #orders = new Map<string, Signed>();
  /** By device and digest, the last that has brought it that. */
  readonly #deployments = new Map<string, string>();
  /** By device and deployment, when it was last told of it. */
  readonly #told = new Map<string, number>();

  /** Any, for what else a command says. */
  #request: object = {};

  constructor(stage: Stage, broker: ModelledBroker, fleet: Fleet) {
    this.#stage = stage;
    this.#broker = broker;
    this.#fleet = fleet;
  }

  hear(deviceId: string, topic: string, text: string): void {
    if (topic !== requestTopic) return;
    const { url: _, ...request } = readRequest(text);
    const { deployment, manifest: jws } = request;
    this.#request = request;
    const payload = JSON.parse(Buffer.from(jws.split('.')[1]!, 'base64url').toString()) as Signed['payload'];
    if (payload.undo) this.#orders.set(payload.undo.deployment, { payload, jws });
    this.#told.set(`${deviceId}/${deployment}`, this.#stage.time.now);
    this.#manifests.set(payload.sha256, { payload, jws });
    this.#deployments.set(`${deviceId}/${payload.sha256}`, deployment);
  }

  /** A few times, at whatever is going on then. */
  work(random: Random, times: number): void {
    for (let n = 0; n < times; n++) this.#stage.after(random.int(0, 240_000), () => this.#send(random));
  }

  #send(random: Random): void {
    const ids = [...this.#fleet.ids];
    const [deviceId, manifest] = this.#replay(ids) ?? this.#forge(random.pick(ids)) ?? [];
    if (!deviceId || !manifest) return;
    const payload = JSON.stringify({ ...this.#request, deployment: randomUUID(), attempt: 1, manifest });
    this.#stage.log(`somebody sends ${deviceId} an undo`);
    this.#stage.seen.forged++;
    this.#broker.smuggle(deviceId, requestTopic, payload);
  }

  /** A genuine order, to one that has left what it undoes, by it or otherwise, and was given the newer image again. */
  #replay(ids: string[]): [string, string] | null {
    for (const { payload, jws } of this.#orders.values()) {
      for (const id of ids) {
        const [first, between, last] = this.#fleet.device(id).ran.slice(-3);
        const { leaves, deployment } = payload.undo!;
        if (last?.sha256 !== leaves || between?.sha256 !== payload.sha256 || first?.sha256 !== leaves)
          continue;
        // The order to undo what it has the image from now, it would have to obey.
        const isOld =
          this.#deployments.get(`${id}/${leaves}`) !== deployment &&
          (this.#told.get(`${id}/${deployment}`) ?? 0) < between.at;
        if (isOld) return [id, jws];
      }
    }
    return null;
  }

  /** Of another manifest's signature: back to what it ran before. */
  #forge(deviceId: string): [string, string] | null {
    const ran = this.#fleet.device(deviceId).ran.map((it) => it.sha256);
    const previous = this.#manifests.get(ran.at(-2) ?? '');
    const deployment = this.#deployments.get(`${deviceId}/${ran.at(-1)}`);
    if (!previous || !deployment) return null;
    const undo = { deployment, leaves: ran.at(-1), expiresUnixMs: this.#stage.time.now + weekMs };
    const [header, , signature] = previous.jws.split('.');
    const payload = Buffer.from(JSON.stringify({ ...previous.payload, undo })).toString('base64url');
    return [deviceId, [header, payload, signature].join('.')];
  }
}
