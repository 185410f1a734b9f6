import type tls from 'node:tls';
import { requestTopic, topics } from '#emqx/protocol.ts';
import type { KeyPair } from './identity.ts';
import { MqttConnection } from './mqtt-connection.ts';
import type { Network } from './network.ts';
import type { Broker, BrokerConnection, BrokerEvents } from './port.ts';
import { createContext, openTls } from './transport.ts';

// The request topic last: its subscription is what the webhook waits for.
const downlinks = (Object.keys(topics) as (keyof typeof topics)[]).filter(
  (topic) => topics[topic].direction === 'down' && topic !== requestTopic,
);

/** MQTT over mTLS over a device's network. Each connection is a new one, so that each may use another certificate. */
export class MqttBroker implements Broker {
  readonly #network: Network;
  readonly #options: { id: string; host: string; port: number; trust: string; keepaliveMs: number };
  /** Of the pair that connected last: a reconnect, also after a reboot, would make another. */
  #context: { certificate: string; secureContext: tls.SecureContext } | undefined;

  /** `url`: mqtts://host:port. */
  constructor(network: Network, options: { id: string; url: string; trust: string; keepaliveMs: number }) {
    const { hostname, port } = new URL(options.url);
    this.#network = network;
    this.#options = { ...options, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 8883) };
  }

  connect(pair: KeyPair, events: BrokerEvents): BrokerConnection {
    const { id, host, port, keepaliveMs } = this.#options;
    const socket = openTls(this.#network, { host, port, secureContext: this.#contextOf(pair) });
    let reached = false;
    let over = false;
    socket.once('secureConnect', () => {
      reached = true;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      // An alert: somebody was there and did not like the certificate.
      if (error.code?.startsWith('ERR_SSL')) reached = true;
    });
    const connection: MqttConnection = new MqttConnection(
      socket,
      { clientId: id, keepaliveMs },
      {
        accepted: () =>
          connection.subscribe(downlinks, () =>
            connection.subscribe([requestTopic], () => over || events.connected()),
          ),
        message: (topic, payload, done) => over || events.message(topic, payload, done),
        closed: (why) => over || events.disconnected({ reached, why }),
      },
    );
    return {
      get unacked() {
        return connection.unacked;
      },
      publish: (topic, payload) => connection.publish(topic, Buffer.from(payload)),
      end: (done) => {
        over = true;
        void connection.end().then(done);
      },
      destroy: () => {
        over = true;
        connection.destroy();
      },
    };
  }

  #contextOf(pair: KeyPair): tls.SecureContext {
    const { certificate } = pair;
    if (this.#context?.certificate !== certificate)
      this.#context = { certificate, secureContext: createContext(this.#options.trust, pair) };
    return this.#context.secureContext;
  }
}
