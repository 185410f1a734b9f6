/** Bytes that no client of ours sends, at each port that a process listens on: found by asking the system, so that a listener that is added is attacked too. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';

/** From /proc: the sockets that this process holds and that are in state LISTEN (0A). */
export function listeningPorts(pid: number): number[] {
  const held = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    }),
  );
  const lines = readFileSync(`/proc/${pid}/net/tcp`, 'utf8').trim().split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A' && held.has(fields[9]!))
    .map((fields) => Number.parseInt(fields[1]!.split(':')[1]!, 16));
}

/** Some listeners rightly wait for the rest. */
const patienceMs = 400;
const atOnce = 16;

/** `end`: the peer closes and is waited for; `reset`: as soon as the bytes are out; `late`: after the first answer. */
type Ending = 'end' | 'reset' | 'late';

export function attack(
  port: number,
  bytes: Buffer,
  ending: Ending,
  secure: tls.ConnectionOptions | null,
): Promise<void> {
  return new Promise((resolve) => {
    const raw = net.connect(port, '127.0.0.1');
    const socket = secure ? tls.connect({ ...secure, socket: raw, rejectUnauthorized: false }) : raw;
    const done = () => {
      clearTimeout(patience);
      socket.destroy();
      resolve();
    };
    const patience = setTimeout(() => {
      raw.resetAndDestroy();
      done();
    }, patienceMs);
    raw.on('close', done);
    for (const each of new Set([raw, socket])) each.on('error', () => raw.destroy());
    if (ending === 'late') socket.once('data', () => raw.resetAndDestroy());
    else socket.resume();
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      if (ending === 'end') socket.end(bytes);
      else socket.write(bytes, () => ending === 'reset' && raw.resetAndDestroy());
    });
  });
}

/** A client that goes away in the middle of its handshake. */
function halfHandshake(port: number): Promise<void> {
  return new Promise((resolve) => {
    const raw = net.connect(port, '127.0.0.1');
    const socket = tls.connect({ socket: raw, rejectUnauthorized: false });
    socket.on('error', () => {});
    const leave = () => {
      raw.resetAndDestroy();
      resolve();
    };
    raw.on('error', () => {}).once('data', leave);
    setTimeout(leave, patienceMs);
  });
}

export interface Bombardment {
  pid: number;
  bytes: Buffer[];
  /** Client certificates to come with; null is without TLS. */
  secures: (tls.ConnectionOptions | null)[];
  /** All ways of sending at every port; otherwise 1 in as many as there are, so that each port sees all bytes and each way all ports. */
  every: boolean;
}

/** Resolves with the ports. */
export async function bombard({ pid, bytes: all, secures, every }: Bombardment): Promise<number[]> {
  const ports = listeningPorts(pid);
  const idle = ports.flatMap((port) => [net.connect(port, '127.0.0.1'), net.connect(port, '127.0.0.1')]);
  for (const [i, socket] of idle.entries()) {
    socket.on('error', () => {});
    if (i % 2) socket.write('G');
  }
  const ways = (['end', 'reset', 'late'] as const).flatMap((ending) =>
    secures.map((secure) => ({ ending, secure })),
  );
  const attacks = all.flatMap((bytes, i) =>
    ports.flatMap((port, j) =>
      ways
        .filter((_, way) => every || (i + j) % ways.length === way)
        .map(
          ({ ending, secure }) =>
            () =>
              attack(port, bytes, ending, secure),
        ),
    ),
  );
  const lane = async () => {
    for (let next = attacks.pop(); next; next = attacks.pop()) await next();
  };
  await Promise.all(Array.from({ length: atOnce * ports.length }, lane));
  await Promise.all(ports.map(halfHandshake));
  for (const socket of idle) socket.resetAndDestroy();
  return ports;
}
