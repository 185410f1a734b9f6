import net from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { randomOf } from '#deploy/lab/primitives/random.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { SwitchedNetwork } from './network.ts';
import { type Shape, ShapedNetwork } from './shaping.ts';

const servers: net.Server[] = [];
afterEach(() => {
  vi.restoreAllMocks();
  for (const server of servers.splice(0)) server.close();
});

async function echo(): Promise<{ host: string; port: number }> {
  const server = net.createServer((socket) => socket.on('error', () => {}).pipe(socket));
  servers.push(server);
  return { host: '127.0.0.1', port: await listen(server) };
}

/** Sends, and reads until as much has come back or the connection has broken. */
async function roundTrip(shape: Shape, payload: Buffer, seed = 1): Promise<{ back: Buffer; ms: number }> {
  const target = await echo();
  const link = new ShapedNetwork(shape, (name) => randomOf(seed, name)).dial(target);
  const began = performance.now();
  const pieces: Buffer[] = [];
  let bytes = 0;
  await new Promise<void>((resolve) => {
    link.on('data', (piece: Buffer) => {
      pieces.push(piece);
      bytes += piece.length;
      if (bytes >= payload.length) resolve();
    });
    link.on('error', () => {}).on('close', () => resolve());
    link.write(payload);
  });
  link.destroy();
  return { back: Buffer.concat(pieces), ms: performance.now() - began };
}

const pattern = (bytes: number) => Buffer.from(Uint8Array.from({ length: bytes }, (_, i) => (i * 31) & 255));

describe('a shaped link', () => {
  it('delivers every byte in order, whatever the jitter', async () => {
    const payload = pattern(200_000);
    const { back } = await roundTrip({ latencyMs: 2, jitterMs: 15 }, payload);
    expect(back.equals(payload)).toBe(true);
  });

  it('is late by its latency, each way', async () => {
    const { ms } = await roundTrip({ latencyMs: 60 }, pattern(10));
    expect(ms).toBeGreaterThanOrEqual(118);
  });

  it('is as slow as its bandwidth', async () => {
    const { ms } = await roundTrip({ bytesPerSecond: 200_000 }, pattern(60_000));
    expect(ms).toBeGreaterThanOrEqual(290);
  });

  it('that becomes faster delivers what waits on it, too', async () => {
    const network = new ShapedNetwork({ bytesPerSecond: 10 });
    const link = network.dial(await echo());
    const back = new Promise((resolve) => link.once('data', resolve));
    link.write(pattern(1_000));
    network.setRate(1_000_000);
    expect(await back).toEqual(pattern(1_000));
    link.destroy();
  });

  it('goes on when the wall clock, which was a day ahead, goes back; so does a network that was cut', async () => {
    const network = new SwitchedNetwork(
      new ShapedNetwork({ bytesPerSecond: 200_000 }, (name) => randomOf(1, name)),
    );
    const target = await echo();
    const say = (link: Duplex) =>
      new Promise<boolean>((resolve) => {
        link.once('data', () => resolve(true)).once('error', () => resolve(false));
        link.write(pattern(100));
      });
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 86_400_000);
    const link = network.dial(target);
    expect(await say(link)).toBe(true);
    clock.mockRestore();
    expect(await say(link)).toBe(true);
    vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 86_400_000);
    network.cut(20);
    vi.restoreAllMocks();
    const again = async () => {
      const one = network.dial(target);
      return say(one).finally(() => one.destroy());
    };
    await until('the network', again);
  });

  it('breaks when packets are lost for good', async () => {
    const payload = pattern(3_000_000);
    const { back } = await roundTrip({ loss: 1 }, payload);
    expect(back.length).toBeLessThan(payload.length);
  });
});
