import net from 'node:net';
import tls from 'node:tls';
import type { KeyPair } from './identity.ts';
import type { Network } from './network.ts';

/** Parsing trust costs time and memory; the devices of a process mostly share one. */
let shared: { trust: string; context: tls.SecureContext } | undefined;

/** For connections that only verify the other side. */
export function verifyingContext(trust: string): tls.SecureContext {
  if (shared?.trust !== trust) shared = { trust, context: createContext(trust) };
  return shared.context;
}

/** With a pair: for mutual TLS. Takes 30 kB. */
export function createContext(trust: string, pair?: KeyPair): tls.SecureContext {
  return tls.createSecureContext({
    ca: trust,
    minVersion: 'TLSv1.2',
    ...(pair && { key: pair.key, cert: `${pair.certificate.trimEnd()}\n${pair.chain}` }),
  });
}

/** TLS over the device's network, verified against the trust of `secureContext` and nothing else. */
export function openTls(
  network: Network,
  target: { host: string; port: number; secureContext: tls.SecureContext; protocols?: string[] },
): tls.TLSSocket {
  const { host, port, secureContext, protocols } = target;
  const raw = network.dial({ host, port });
  const socket: tls.TLSSocket = tls.connect({
    socket: raw,
    host,
    ...(net.isIP(host) ? {} : { servername: host }),
    secureContext,
    ...(protocols && { ALPNProtocols: protocols }),
    checkServerIdentity: (name): Error | undefined => findStranger(name, socket),
  });
  // For the check Node would make an object of every certificate of the chain, which takes longer than the rest of the handshake's end.
  socket.getPeerCertificate = () => ({}) as tls.DetailedPeerCertificate;
  // Devices say little; records of the usual 16 kB would each cost a buffer of that size.
  socket.setMaxSendFragment(1024);
  raw.on('error', (error) => socket.destroy(error));
  raw.on('close', () => socket.destroy());
  return socket;
}

/** RFC 9525: whether the certificate names whom we have called; its chain has been verified. */
function findStranger(name: string, socket: tls.TLSSocket): Error | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (net.isIP(name) ? certificate?.checkIP(name) : certificate?.checkHost(name)) return undefined;
  return Object.assign(new Error(`the certificate is not for ${name}`), {
    code: 'ERR_TLS_CERT_ALTNAME_INVALID',
  });
}
