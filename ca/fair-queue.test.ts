import { describe, expect, it } from 'vitest';
import { createFairQueue, type FairQueue } from './fair-queue.ts';

const limits = { concurrency: 1, maxWaiting: 100, maxWaitingPerLane: 50, maxWaitingBytes: 10_000 };

/** Lets jobs end one at a time, in the order in which they were started. */
function observe(queue: FairQueue) {
  const started: string[] = [];
  const ask = (caller: string, device: string) =>
    queue.run([caller, device], 10, async () => {
      started.push(`${caller}/${device}`);
      await new Promise((resolve) => setImmediate(resolve));
    });
  return { started, ask };
}

describe('the fair queue', () => {
  it('goes round the callers, and round the devices of a caller, first come first served', async () => {
    const { started, ask } = observe(createFairQueue(limits));
    const asked = [
      ...Array.from({ length: 5 }, () => ask('a', 'loud')),
      ask('a', 'quiet'),
      ask('b', 'one'),
      ask('b', 'one'),
    ];
    await Promise.all(asked);
    expect(started).toEqual(['a/loud', 'a/loud', 'b/one', 'a/quiet', 'b/one', 'a/loud', 'a/loud', 'a/loud']);
  });

  it('says overloaded instead of growing, to the one who fills it, and keeps a place for the others', async () => {
    const queue = createFairQueue({ ...limits, maxWaiting: 20, maxWaitingPerLane: 4 });
    const { ask } = observe(queue);
    const loud = await Promise.allSettled(Array.from({ length: 10 }, () => ask('a', 'loud')));
    // One ran at once and four waited.
    expect(loud.map(({ status }) => status).filter((status) => status === 'rejected')).toHaveLength(5);
    const many = Promise.allSettled(Array.from({ length: 40 }, (_, index) => ask('a', `dev-${index}`)));
    const other = Array.from({ length: 8 }, (_, index) => ask('b', `dev-${index}`));
    expect(queue.waiting).toBeLessThanOrEqual(30);
    expect((await Promise.allSettled(other)).every(({ status }) => status === 'fulfilled')).toBe(true);
    const refused = (await many).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(19);
    expect(refused[0]).toMatchObject({ reason: { code: 'overloaded' } });
    expect([queue.waiting, queue.waitingBytes]).toEqual([0, 0]);
  });

  it('has a limit for the bytes that wait, and goes on after a job that failed', async () => {
    const queue = createFairQueue({ ...limits, maxWaitingBytes: 100 });
    await expect(queue.run(['a', 'x'], 101, async () => 1)).rejects.toMatchObject({ code: 'overloaded' });
    const failing = queue.run(['a', 'x'], 60, () => Promise.reject(new Error('broken')));
    const next = queue.run(['a', 'x'], 60, async () => 'done');
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe('done');
  });
});
