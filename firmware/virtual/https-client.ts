import https from 'node:https';
import type tls from 'node:tls';
import type { Network } from './network.ts';
import type { Http, HttpEvents } from './port.ts';
import { openTls, verifyingContext } from './transport.ts';

class DeviceAgent extends https.Agent {
  readonly #network: Network;
  readonly #secureContext: tls.SecureContext;

  constructor(network: Network, secureContext: tls.SecureContext) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1, timeout: 0 });
    this.#network = network;
    this.#secureContext = secureContext;
  }

  override createConnection(target: { host?: string | null; port?: number | string | null }): tls.TLSSocket {
    return openTls(this.#network, {
      host: target.host ?? 'localhost',
      port: Number(target.port ?? 443),
      secureContext: this.#secureContext,
      protocols: ['http/1.1'],
    });
  }
}

/** HTTPS over a device's network, verified against its trust and nothing else. Redirects are not followed. */
export class HttpsClient implements Http {
  readonly #network: Network;
  readonly #trust: string;
  #agent: DeviceAgent | null = null;

  constructor(network: Network, trust: string) {
    this.#network = network;
    this.#trust = trust;
  }

  get(url: string, range: { from: number; to: number } | null, events: HttpEvents): () => void {
    this.#agent ??= new DeviceAgent(this.#network, verifyingContext(this.#trust));
    let over = false;
    // Over before it is told: the agent ends the request from within, which would else break the connection off that the next range goes by.
    const finish = (tell: () => void) => {
      if (over) return;
      over = true;
      tell();
    };
    const fail = () => finish(events.failed);
    const request = https.get(url, {
      agent: this.#agent,
      headers: {
        'accept-encoding': 'identity',
        ...(range && { range: `bytes=${range.from}-${range.to - 1}` }),
      },
    });
    request.on('error', fail);
    request.on('response', (response) => {
      if (over) return;
      events.head(response.statusCode ?? 0, response.headers);
      response.on('data', (data: Buffer) => over || events.body(data));
      response.on('end', () => finish(events.end));
      response.on('error', fail);
      response.on('close', fail);
    });
    return () => finish(() => request.destroy());
  }

  release(): void {
    this.#agent?.destroy();
    this.#agent = null;
  }
}
