/** A million devices: every list and page against the same with ten thousand, a deployment to all of them, and presence compared. */
import type { Figures } from './figures.ts';
import { measureDeployment, watchMemory } from './rollout.ts';
import { comparePages, prepare, round, type Site } from './site.ts';
import { startCopy, withPostgresql } from './webhook-copy.ts';

const small = 10_000;
const large = 1_000_000;
const aimMs = 100;
/** A quarter of the memory of `db.m7g.large`, as RDS sets it, which the Terraform of `deploy/` takes unless somebody says otherwise. */
const sharedBuffers = '2GB';

export async function measureMillion(): Promise<Figures> {
  return withPostgresql(
    async (server) => ({
      ...(await measurePages(server)),
      ...(await measureDispatch(server)),
    }),
    { sharedBuffers },
  );
}

async function measurePages(server: string): Promise<Figures> {
  const few = await prepare(server, small);
  const many = await prepare(server, large);
  try {
    return { ...(await comparePages('million', few, many, aimMs)), ...(await measurePresence(many)) };
  } finally {
    await few.copy.close();
    await many.copy.close();
  }
}

/** A second copy compares presence when it starts: one device of twenty came while nobody listened. */
async function measurePresence({ url, copy, broker, devices }: Site): Promise<Figures> {
  broker.listing = true;
  const memory = watchMemory();
  const before = process.memoryUsage.rss() / 2 ** 20;
  const began = performance.now();
  const other = await startCopy(url, broker, {
    periodMs: 3_600_000,
    faultMs: 1_000,
    youngMs: 60_000,
    settledMs: 15_000,
    watchMs: 3_600_000,
  });
  try {
    for (let online = 0; online < devices; ) {
      const [row] = await copy.sql`select sum(n)::int as n from device_tallies where online`;
      online = row!.n;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const seconds = (performance.now() - began) / 1000;
    const grownMb = memory.stop() - before;
    return {
      'million.presence': {
        value: round(seconds),
        unit: 's to compare a million connections, of which 50,000 were news; baseline: the pause between two rounds',
        baseline: 300,
        ratio: round(300 / seconds),
        aim: 1,
      },
      'million.presence_memory': {
        value: round(grownMb),
        unit: 'MB more while it compares, a second copy included; baseline: ids and times of all of them as objects',
        baseline: 200,
        ratio: round(200 / Math.max(1, grownMb)),
        aim: 1,
      },
    };
  } finally {
    await other.close();
  }
}

async function measureDispatch(server: string): Promise<Figures> {
  const few = await measureDeployment(server, small);
  const many = await measureDeployment(server, large);
  return {
    'million.dispatch': {
      value: Math.round(many.targetsPerSecond),
      unit: 'targets/s resolved and dispatched; baseline: of 10,000',
      baseline: Math.round(few.targetsPerSecond),
      processorUs: many.processorUs,
      ratio: round(many.targetsPerSecond / few.targetsPerSecond),
      aim: null,
    },
    'million.dispatch_memory': {
      value: Math.round(many.peakMb),
      unit: 'MB at most; baseline: with 10,000 targets',
      baseline: Math.round(few.peakMb),
      ratio: round(few.peakMb / many.peakMb),
      aim: 0.8,
    },
  };
}
