/** The work that Flota was measured at beside another server of updates: 500 devices, 256 KiB, four waves, on a durable PostgreSQL. */
import { silent } from '../fleet/display.ts';
import { runExperiment } from '../fleet/experiment.ts';
import { openSubject } from '../fleet/subject.ts';
import { createCluster } from '../primitives/postgresql.ts';
import { type Figures, processorMs } from './figures.ts';
import { tell } from './webhook-copy.ts';

const devices = 500;
const aimMs = 9;
/** hawkBit 1.0.4 and its PostgreSQL, warm, on the machine where Flota took 17.4 ms. */
const peerMs = 66;

export async function measurePeer(): Promise<Figures> {
  const cluster = await createCluster({ durable: true });
  try {
    const system = await openSubject({ devices, databaseUrl: cluster.url });
    try {
      const pids = () => [cluster.pid()!, ...system.copies.map((copy) => copy.process!()!.pid)];
      let [before, after] = [0, 0];
      const display = {
        ...silent,
        phase(text: string) {
          tell(text);
          if (text === 'deploying') before = processorMs(pids());
          if (text === 'stopping') after = processorMs(pids());
        },
      };
      const options = { devices: String(devices), image: '256KiB', waves: '1,10%,50%,100%' };
      const { signal } = new AbortController();
      const report = await runExperiment({ name: 'peer', options, system, display, signal });
      if (report.figures.successPercent !== 100) throw new Error(report.problems.join('; '));
      const each = Number(((after - before) / devices).toFixed(1));
      return {
        'peer.webhook_and_database': {
          value: each,
          unit: `ms of processor time of webhook and PostgreSQL for each of ${devices} devices, from Deploy to the last; baseline: hawkBit's server and database, on another machine`,
          baseline: peerMs,
          ratio: Number((aimMs / each).toFixed(2)),
          processorUs: Math.round(each * 1000),
          aim: 1,
        },
      };
    } finally {
      await system.close();
    }
  } finally {
    await cluster.remove();
  }
}
