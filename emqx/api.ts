/**
 * Client of EMQX's HTTP API (v5.8), and of the stand-in's part of it: publishing in bulk, who is connected, kicking, banning.
 * Connections are kept alive, what is transient is retried with jitter for a bounded time, and a broker that is down is left
 * alone for growing pauses.
 */
import { type Answer, type EmqxApiOptions, EmqxError, openConnection, reasonOf } from './connection.ts';
import { readNodes } from './nodes.ts';

export { type EmqxApiOptions, EmqxError, type EmqxErrorCode } from './connection.ts';

export interface PublishMessage {
  /** As the broker knows it: `devices/<id>/…`. */
  topic: string;
  payload: string;
  qos: 0 | 1;
  messageExpirySeconds?: number;
  /** W3C Trace Context; reaches devices that speak MQTT 5, and EMQX's own tracing. */
  traceparent?: string;
}
/**
 * routed: there was a subscription (also an offline session's); no_subscriber: nobody, the message is gone; refused: this
 * message can never be published; failed: the broker did not take it, it may be sent again.
 */
export type PublishOutcome =
  | { kind: 'routed' }
  | { kind: 'no_subscriber' }
  | { kind: 'refused'; reason: string }
  | { kind: 'failed'; reason: string };

export interface BrokerClient {
  clientid: string;
  connected: boolean;
  /** ms since 1970 */
  connectedAt: number | null;
}

export interface EmqxApi {
  /**
   * One outcome for each message, in order. Splits by count and bytes. Throws EmqxError only when nothing at all could be
   * given to the broker; once a part has gone through, the parts behind it answer `failed` instead.
   */
  publishBulk(messages: PublishMessage[]): Promise<PublishOutcome[]>;
  /**
   * Everybody whom the broker knows, or those of `ids`, page by page; with `connected`, only those who are or are not. EMQX numbers its pages
   * anew for each: when some leave meanwhile, others slip from one page to an earlier one and are missed. Only who is missing
   * when asked for by id is gone.
   */
  listClients(options?: { connected?: boolean; ids?: string[] }): AsyncIterable<BrokerClient[]>;
  /** Names of the nodes of which the one that answers knows that they run. */
  runningNodes(): Promise<string[]>;
  /** Ends the connection and the session; false when there is no such client. */
  kick(clientId: string): Promise<boolean>;
  /** Nobody comes in by this client id until it is lifted, and who is in goes. Also when it is banned already. */
  ban(clientId: string, reason: string): Promise<void>;
  /** Also when there is no ban. */
  unban(clientId: string): Promise<void>;
  close(): void;
}
/** EMQX answers 500 above 8,000,000 bytes of body; about 1,000 messages a call is where its throughput levels off. */
const maxBatchBytes = 7_500_000;
const maxBatchMessages = 1_000;
const pageSize = 1_000;
/** A request's first line may have 8,192 bytes in EMQX; the path and the other parameters want some. */
const maxFilterBytes = 6_000;

export function createEmqxApi(options: EmqxApiOptions): EmqxApi {
  const { call, close } = openConnection(options);

  const publishBatch = async (batch: Batch): Promise<PublishOutcome[]> => {
    const answer = await call('POST', '/publish/bulk', `[${batch.texts.join(',')}]`);
    if (Array.isArray(answer.body)) {
      if (answer.body.length !== batch.texts.length)
        throw new EmqxError(
          'answer_unexpected',
          `${batch.texts.length} messages, ${answer.body.length} answers`,
        );
      return answer.body.map(outcomeOf);
    }
    if (answer.status === 400 && batch.texts.length > 1) {
      // One bad message refuses them all and nothing is sent: halves find it without harm to the others.
      const half = batch.texts.length >> 1;
      const outcomes: PublishOutcome[] = [];
      for (const texts of [batch.texts.slice(0, half), batch.texts.slice(half)])
        outcomes.push(...(await publishBatch({ texts })));
      return outcomes;
    }
    const kind = answer.status === 400 ? 'refused' : 'failed';
    return batch.texts.map(() => ({ kind, reason: reasonOf(answer) }));
  };

  async function* listPages(filter: string): AsyncGenerator<BrokerClient[]> {
    for (let page = 1; ; page++) {
      const answer = await call(
        'GET',
        `/clients?page=${page}&limit=${pageSize}&fields=clientid,connected,connected_at${filter}`,
      );
      const { data, meta } = (answer.body ?? {}) as { data?: unknown; meta?: { hasnext?: boolean } };
      if (answer.status !== 200 || !Array.isArray(data)) throw refusal(answer);
      yield data.map(({ clientid, connected, connected_at }) => ({
        clientid,
        connected: connected === true,
        connectedAt: connected_at ? Date.parse(connected_at) : null,
      }));
      if (!meta?.hasnext) return;
    }
  }

  return {
    async publishBulk(messages) {
      const outcomes: PublishOutcome[] = [];
      let broken: EmqxError | null = null;
      for (const batch of split(messages)) {
        if (broken) outcomes.push(...failed(batch, broken));
        else
          try {
            outcomes.push(...(await publishBatch(batch)));
          } catch (error) {
            if (!(error instanceof EmqxError) || outcomes.length === 0) throw error;
            broken = error;
            outcomes.push(...failed(batch, error));
          }
      }
      return outcomes;
    },
    async *listClients({ connected, ids } = {}) {
      const state = connected === undefined ? '' : `&conn_state=${connected ? 'connected' : 'disconnected'}`;
      for (const asked of ids ? byIds(ids) : ['']) yield* listPages(`${state}${asked}`);
    },
    async runningNodes() {
      const nodes = readNodes(options.url, await call('GET', '/nodes'));
      return nodes.filter(({ running }) => running).map(({ name }) => name);
    },
    async kick(clientId) {
      const answer = await call('DELETE', `/clients/${encodeURIComponent(clientId)}`);
      if (answer.status === 404) return false;
      if (answer.status !== 204) throw refusal(answer);
      return true;
    },
    async ban(clientId, reason) {
      const answer = await call('POST', '/banned', JSON.stringify({ as: 'clientid', who: clientId, reason }));
      const { code } = (answer.body ?? {}) as { code?: string };
      if (answer.status !== 200 && code !== 'ALREADY_EXISTS') throw refusal(answer);
    },
    async unban(clientId) {
      const answer = await call('DELETE', `/banned/clientid/${encodeURIComponent(clientId)}`);
      if (answer.status !== 204 && answer.status !== 404) throw refusal(answer);
    },
    close,
  };
}

interface Batch {
  texts: string[];
}

function* split(messages: PublishMessage[]): Generator<Batch> {
  let texts: string[] = [];
  let bytes = 2;
  for (const { topic, payload, qos, messageExpirySeconds: expiry, traceparent } of messages) {
    const properties = {
      ...(expiry !== undefined && { message_expiry_interval: Math.max(1, Math.floor(expiry)) }),
      ...(traceparent !== undefined && { user_properties: { traceparent } }),
    };
    const text = JSON.stringify({ topic, payload, qos, properties });
    const size = Buffer.byteLength(text) + 1;
    if (texts.length > 0 && (texts.length >= maxBatchMessages || bytes + size > maxBatchBytes)) {
      yield { texts };
      [texts, bytes] = [[], 2];
    }
    texts.push(text);
    bytes += size;
  }
  if (texts.length > 0) yield { texts };
}

function* byIds(ids: string[]): Generator<string> {
  let filter = '';
  for (const id of ids) {
    const next = `&clientid=${encodeURIComponent(id)}`;
    if (filter.length + next.length > maxFilterBytes) {
      yield filter;
      filter = '';
    }
    filter += next;
  }
  if (filter) yield filter;
}

function outcomeOf(answer: { id?: string; reason_code?: number; message?: string }): PublishOutcome {
  if (answer.id !== undefined) return { kind: 'routed' };
  if (answer.reason_code === 16) return { kind: 'no_subscriber' };
  return { kind: 'failed', reason: answer.message ?? `reason code ${answer.reason_code}` };
}

function failed({ texts }: Batch, error: EmqxError): PublishOutcome[] {
  return texts.map(() => ({ kind: 'failed', reason: error.message }));
}

function refusal(answer: Answer): EmqxError {
  return new EmqxError('broker_refused', `EMQX answered ${answer.status}: ${reasonOf(answer)}`);
}
