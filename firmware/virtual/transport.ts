import https from 'node:https';
import tls from 'node:tls';
import type { Network } from './network.ts';

type Target = { host?: string | null; port?: number | string | null; servername?: string };

/** Parsing trust costs time and memory; the devices of a process mostly share one. */
let parsed: { trust: string; context: tls.SecureContext } | undefined;

function contextOf(trust: string): tls.SecureContext {
  if (parsed?.trust !== trust)
    parsed = { trust, context: tls.createSecureContext({ ca: trust, minVersion: 'TLSv1.2' }) };
  return parsed.context;
}

class DeviceAgent extends https.Agent {
  readonly #network: Network;
  readonly #trust: string;

  constructor(network: Network, trust: string) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1, timeout: 0 });
    this.#network = network;
    this.#trust = trust;
  }

  override createConnection(target: Target): tls.TLSSocket {
    const host = target.host ?? 'localhost';
    const raw = this.#network.dial({ host, port: Number(target.port ?? 443) });
    const socket = tls.connect({
      socket: raw,
      host,
      ...(target.servername ? { servername: target.servername } : {}),
      secureContext: contextOf(this.#trust),
      ALPNProtocols: ['http/1.1'],
    });
    raw.on('error', (error) => socket.destroy(error));
    raw.on('close', () => socket.destroy());
    return socket;
  }
}

/** One kept-alive HTTPS connection over the device's network, verified against its trust and nothing else. */
export function httpsAgent(network: Network, trust: string): https.Agent {
  return new DeviceAgent(network, trust);
}
