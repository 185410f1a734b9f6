/** The parts that judge a soak; the soak itself takes minutes (soak.full.ts). */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createRandom, readOptions } from './config.ts';
import { type Fault, strikeAtRandom } from './faults.ts';
import { createMemoryWatch } from './memory.ts';
import type { PartProcess } from './process.ts';
import { fillIn } from './proxy.ts';

describe('the options', () => {
  it('say everything that is wrong with them, a line each', () => {
    expect(() => readOptions(['--minutes', '0', '--devices', '1.5', '--seed', 'x'])).toThrow(
      /--minutes: must be .*\n--devices: must be a whole .*\n--seed: must be/,
    );
    expect(readOptions(['--minutes', '20', '--seed', '7'])).toMatchObject({
      minutes: 20,
      devices: 12,
      seed: 7,
    });
    expect(readOptions(['--help'])).toBe('help');
  });

  it('the same seed brings the same faults in the same order', () => {
    const first = createRandom(7);
    const again = createRandom(7);
    const numbers = Array.from({ length: 100 }, first);
    expect(Array.from({ length: 100 }, again)).toEqual(numbers);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    expect(new Set(numbers).size).toBe(100);
  });
});

describe('faults', () => {
  const run = (faults: Fault[], ms: number, signal = new AbortController().signal) => {
    const log = { counts: new Map<string, number>(), now: null };
    const options = {
      faults,
      random: () => 0,
      until: Date.now() + ms,
      signal,
      log,
      allow: () => true,
      say: () => {},
    };
    return strikeAtRandom(options).then(() => log.counts);
  };

  it('are healed when the time is up or somebody stops it, whatever was under way', async () => {
    const stop = new AbortController();
    const done: string[] = [];
    const fault = {
      name: 'it',
      strike: async () => {
        done.push('struck');
        stop.abort();
      },
      heal: async () => {
        done.push('healed');
      },
    };
    expect(await run([fault], 60_000, stop.signal)).toEqual(new Map([['it', 1]]));
    expect(done).toEqual(['struck', 'healed']);
  });

  it('that cannot be healed end it', async () => {
    const fault = {
      name: 'it',
      strike: async () => {},
      heal: () => Promise.reject(new Error('does not answer')),
    };
    await expect(run([fault], 3_000)).rejects.toThrow('does not answer');
  }, 15_000);
});

describe('memory', () => {
  /** One that is looked at a thousand times as fast, so that its life counts. */
  async function watch(bytes: (look: number) => number) {
    let looks = 0;
    const part = { name: 'part', pid: () => 1, rssBytes: () => bytes(looks++) } as unknown as PartProcess;
    const memory = createMemoryWatch([part], 1, 20);
    while (looks < 60) await delay(2);
    return memory.stop();
  }
  const mb = 1024 * 1024;

  it('is flat when it stays, and not when it grows on', async () => {
    expect(await watch(() => 200 * mb)).toMatchObject([{ name: 'part', flat: true }]);
    expect(await watch((look) => (100 + look * 10) * mb)).toMatchObject([{ name: 'part', flat: false }]);
  });

  it('is told of nothing that lived too briefly', async () => {
    const part = { name: 'part', pid: () => 1, rssBytes: () => mb } as unknown as PartProcess;
    expect(createMemoryWatch([part], 1).stop()).toEqual([]);
  });
});

it('the proxy file is filled in whole or not at all', () => {
  expect(fillIn(`listen \${PROXY_A}; set $host`, { PROXY_A: '8080' })).toBe('listen 8080; set $host');
  expect(() => fillIn(`listen \${PROXY_B}`, { PROXY_A: '8080' })).toThrow('the proxy file needs PROXY_B');
});
