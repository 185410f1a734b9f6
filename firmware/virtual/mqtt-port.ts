import { type AgentPort, failed, type MqttEvent, ok } from './agent-port.ts';
import type { KeyPair } from './identity.ts';
import type { Broker, BrokerConnection } from './port.ts';

/** Beyond so many unanswered publishes the agent has to wait: a slow link must not fill the memory. */
const inflightMax = 32;

type Queued = MqttEvent & { done?: () => void };

/** The agent's side of its broker: what has come waits here until the agent asks for it. */
export class MqttPort {
  readonly #broker: Broker;
  readonly #pair: (which: 'current' | 'new') => KeyPair;
  readonly #wake: () => void;
  readonly #published: (topic: string, payload: Uint8Array) => void;
  readonly #events: Queued[] = [];
  #connection: BrokerConnection | null = null;
  /** One that is saying goodbye; the next connection waits for it. */
  #ending = false;
  #whenEnded: () => void = () => {};
  #done: (() => void) | undefined;
  /** Why the last connection ended. */
  why = '';
  connects = 0;

  constructor(parts: {
    broker: Broker;
    pair: (which: 'current' | 'new') => KeyPair;
    wake: () => void;
    published: (topic: string, payload: Uint8Array) => void;
  }) {
    this.#broker = parts.broker;
    this.#pair = parts.pair;
    this.#wake = parts.wake;
    this.#published = parts.published;
  }

  readonly port: AgentPort['mqtt'] = {
    connect: (pair) => {
      const dial = () => this.#dial(this.#pair(pair));
      if (this.#ending) this.#whenEnded = dial;
      else dial();
    },
    disconnect: () => this.end('reconnecting'),
    publish: (topic, payload) => {
      if (!this.#connection) return failed.network;
      if (this.#connection.unacked >= inflightMax) return failed.busy;
      this.#connection.publish(topic, payload);
      this.#published(topic, payload);
      return ok;
    },
    poll: () => {
      // Whoever asks for the next message has dealt with the last.
      this.#done?.();
      const event = this.#events.shift() ?? null;
      this.#done = event?.done;
      if (event?.type === 'connected') this.connects++;
      if (event?.type === 'disconnected') this.#connection = null;
      return event;
    },
  };

  /** Politely; `done` is called when no connection is left. */
  end(why: string, done: () => void = () => {}): void {
    const connection = this.#forget(why);
    if (connection) {
      this.#ending = true;
      connection.end(() => {
        this.#ending = false;
        this.#whenEnded();
      });
    }
    this.#whenEnded = done;
    if (!this.#ending) done();
  }

  /** At once. */
  destroy(): void {
    this.#forget('power lost')?.destroy();
    this.#whenEnded = () => {};
  }

  #dial(pair: KeyPair): void {
    const mine = () => this.#connection === connection;
    const tell = (event: Queued) => {
      if (!mine()) return;
      this.#events.push(event);
      this.#wake();
    };
    const connection: BrokerConnection = this.#broker.connect(pair, {
      connected: () => tell({ type: 'connected' }),
      message: (topic, payload, done) => tell({ type: 'message', topic, payload, done }),
      disconnected: ({ reached, why }) => {
        if (mine()) this.why = why;
        tell({ type: 'disconnected', reached });
      },
    });
    this.#connection = connection;
  }

  #forget(why: string): BrokerConnection | null {
    const connection = this.#connection;
    this.why = why;
    this.#connection = null;
    this.#events.length = 0;
    this.#done = undefined;
    return connection;
  }
}
