/** The parts that judge a soak; the soak itself takes minutes (soak.full.ts). */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { type Fault, strikeAtRandom } from '../faults.ts';
import type { Part } from '../system/part.ts';
import { fillIn } from '../system/proxy.ts';
import { createMemoryWatch } from './memory.ts';

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
    const fault: Fault = {
      kind: 'kill',
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
    const fault: Fault = {
      kind: 'kill',
      name: 'it',
      strike: async () => {},
      heal: () => Promise.reject(new Error('does not answer')),
    };
    await expect(run([fault], 3_000)).rejects.toThrow('does not answer');
  });
});

const partOf = (rssBytes: () => number) =>
  ({ name: 'part', process: () => ({ pid: 1, rssBytes }) }) as unknown as Part;

describe('memory', () => {
  /** One that is looked at a thousand times as fast, so that its life counts. */
  async function watch(bytes: (look: number) => number) {
    let looks = 0;
    const part = partOf(() => bytes(looks++));
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
    const part = partOf(() => mb);
    expect(createMemoryWatch([part], 1).stop()).toEqual([]);
  });
});

it('the proxy file is filled in whole or not at all', () => {
  expect(fillIn(`listen \${PROXY_A}; set $host`, { PROXY_A: '8080' })).toBe('listen 8080; set $host');
  expect(() => fillIn(`listen \${PROXY_B}`, { PROXY_A: '8080' })).toThrow('the proxy file needs PROXY_B');
});
