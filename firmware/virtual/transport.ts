import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import type { KeyPair } from './identity.ts';
import type { Network } from './network.ts';

/** Parsing trust costs time and memory; the devices of a process mostly share one. */
let shared: { trust: string; context: tls.SecureContext } | undefined;
/** A device's own, for as long as it has this pair: each takes 30 kB, and a reconnect would make another. */
const own = new WeakMap<KeyPair, { trust: string; context: tls.SecureContext }>();

function contextOf(trust: string, pair: KeyPair | undefined): tls.SecureContext {
  const known = pair ? own.get(pair) : shared;
  if (known?.trust === trust) return known.context;
  const context = tls.createSecureContext({
    ca: trust,
    minVersion: 'TLSv1.2',
    ...(pair && { key: pair.key, cert: `${pair.certificate.trimEnd()}\n${pair.chain}` }),
  });
  if (pair) own.set(pair, { trust, context });
  else shared = { trust, context };
  return context;
}

/** TLS over the device's network, verified against `trust` and nothing else; with a pair, mutual. */
export function openTls(
  network: Network,
  trust: string,
  target: { host: string; port: number; pair?: KeyPair; protocols?: string[] },
): tls.TLSSocket {
  const { host, port, pair, protocols } = target;
  const raw = network.dial({ host, port });
  const socket = tls.connect({
    socket: raw,
    host,
    ...(net.isIP(host) ? {} : { servername: host }),
    secureContext: contextOf(trust, pair),
    ...(protocols && { ALPNProtocols: protocols }),
  });
  // Devices say little; records of the usual 16 kB would each cost a buffer of that size.
  socket.setMaxSendFragment(1024);
  raw.on('error', (error) => socket.destroy(error));
  raw.on('close', () => socket.destroy());
  return socket;
}

class DeviceAgent extends https.Agent {
  readonly #network: Network;
  readonly #trust: string;

  constructor(network: Network, trust: string) {
    super({ keepAlive: true, maxSockets: 1, maxFreeSockets: 1, timeout: 0 });
    this.#network = network;
    this.#trust = trust;
  }

  override createConnection(target: { host?: string | null; port?: number | string | null }): tls.TLSSocket {
    return openTls(this.#network, this.#trust, {
      host: target.host ?? 'localhost',
      port: Number(target.port ?? 443),
      protocols: ['http/1.1'],
    });
  }
}

/** One kept-alive HTTPS connection over the device's network, verified against its trust and nothing else. */
export function httpsAgent(network: Network, trust: string): https.Agent {
  return new DeviceAgent(network, trust);
}
