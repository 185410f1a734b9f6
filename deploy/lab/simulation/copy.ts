/** One copy of the webhook: its own ingest, background loops and operations on a connection that breaks when it dies. No sockets. */
import type { RevokingAuthority } from '#ca/client.ts';
import { CaError } from '#ca/client.ts';
import type { BrokerClient, EmqxApi } from '#emqx/api.ts';
import { type BrokerEvent, brokerEventSchema } from '#emqx/protocol.ts';
import { startBackground } from '#webhook/background.ts';
import type { Context } from '#webhook/context.ts';
import { noticeReturn, reconcileTimes, startReconciler } from '#webhook/devices/reconcile.ts';
import { classify } from '#webhook/events/classify.ts';
import { createIngest, type Ingest } from '#webhook/events/ingest.ts';
import type { ObjectStore } from '#webhook/firmware/objects.ts';
import type { FirmwareSigner } from '#webhook/firmware/signer.ts';
import type { Loop } from '#webhook/loop.ts';
import { createMetrics } from '#webhook/metrics/metrics.ts';
import type { Mortal } from './database.ts';

/** What all copies share. */
export interface Surroundings {
  broker: EmqxApi;
  objects: ObjectStore;
  signer: FirmwareSigner;
  trustedKeys: Context['trustedKeys'];
  log: (text: string) => void;
}

/** Each look costs statements; work wakes the loop anyway. */
const pauses = { idleMs: 10_000, faultMs: 2_000 };

export class Copy {
  readonly context: Context;
  readonly #connection: Mortal;
  readonly #ingest: Ingest;
  readonly #loops: Loop[];
  #alive = true;

  constructor(connection: Mortal, { broker, objects, signer, trustedKeys, log }: Surroundings) {
    this.#connection = connection;
    const { database } = connection;
    this.context = {
      database,
      db: database.db,
      objects,
      broker: noticeReturn(this.#mortal(broker), () => reconciler.wake()),
      authority: noAuthority,
      signer,
      trustedKeys,
      live: { changed() {}, subscribe: () => () => {}, close: async () => {} },
      metrics: createMetrics(),
      // Nobody logs in.
      passwords: {} as never,
      // Nor is anybody notified.
      courier: {} as never,
      symboliser: {} as never,
      log: (level, message, fields) => {
        if (level !== 'info') log(`${level}: ${message} ${JSON.stringify(fields ?? {}, replaceError)}`);
      },
      wake: () => dispatcher.wake(),
      closing: new AbortController().signal,
      webhookToken: '',
      apiToken: null,
      publicUrl: 'https://flota.test',
      consoleDir: null,
    };
    this.#ingest = createIngest(() => this.context);
    const dispatcher = startBackground(() => this.context, pauses);
    const reconciler = startReconciler(() => this.context, reconcileTimes);
    this.#loops = [dispatcher, reconciler];
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Nothing that it had begun goes on. */
  die(): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#connection.die();
  }

  /** As `POST /emqx/events`: resolves after the commit; throws what is answered 503; never resolves when the copy dies. */
  async submit(row: BrokerEvent): Promise<'taken' | { refused: string }> {
    const reject = await this.#ingest.submit(classify(brokerEventSchema.parse(row)), JSON.stringify(row));
    return reject ? { refused: `${reject.code}: ${reject.detail}` } : 'taken';
  }

  /** At the end of a schedule: loops end, so that none lives on in the next. */
  stop(): void {
    this.die();
    for (const loop of this.#loops) void loop.stop();
  }

  /** What a dead copy asks of the broker is not asked. */
  #mortal(broker: EmqxApi): EmqxApi {
    const guard =
      <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
      async (...args: A): Promise<R> => {
        if (!this.#alive) return new Promise<never>(() => {});
        const result = await call(...args);
        return this.#alive ? result : new Promise<never>(() => {});
      };
    const pageOf = guard((pages: AsyncIterator<BrokerClient[]>) => pages.next());
    return {
      publishBulk: guard(broker.publishBulk),
      async *listClients(options) {
        const pages = broker.listClients(options)[Symbol.asyncIterator]();
        for (let page = await pageOf(pages); !page.done; page = await pageOf(pages)) yield page.value;
      },
      runningNodes: guard(broker.runningNodes),
      kick: guard(broker.kick),
      ban: guard(broker.ban),
      unban: guard(broker.unban),
      close() {},
    };
  }
}

/** Certificates are no part of the simulation. */
const away = async (): Promise<never> => {
  throw new CaError('ca_unavailable', 'no authority in the simulation');
};
const noAuthority: RevokingAuthority = {
  issue: away,
  trust: away,
  revoke: away,
  crl: away,
  crls: async () => [],
  witness: async (head) => ({ ...head, at: new Date().toISOString(), jws: '' }),
  witnessed: async () => null,
  attest: away,
};

function replaceError(_: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  let root: unknown = value;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return String(root);
}
