import { clockJump } from '../faults.ts';
import { outage } from '../outage/outage.ts';
import { until } from '../primitives/until.ts';
import { readDeployment } from '../rest.ts';
import { deployNext } from '../soak/update.ts';

const dayMs = 86_400_000;
let updates = 0;
let deployment = '';

export default outage({
  title: "The servers' clock jumps",
  about:
    'Webhook, database, broker, store and CA are a day ahead, then a day behind, while every device is updated: all get there.',
  site: 'processes',
  faults: ({ clockFile, system, fleet }) =>
    (['+1d', '-1d'] as const).map((by) => {
      const jump = clockJump(clockFile!, by, 'every server');
      return {
        ...jump,
        async strike() {
          deployment = await deployNext(system, ++updates, fleet.ids);
          await jump.strike();
        },
      };
    }),
  heldUp: 'none',
  async during({ system, settings }) {
    // Asked of the copy itself: the proxy has a clock of its own.
    const ahead = async () => {
      const { headers } = await fetch(system.metricsUrls[0]!);
      return Math.abs(Date.parse(headers.get('date')!) - Date.now());
    };
    await until(ahead, (ms) => ms > dayMs / 2, settings.recoveryMs);
    return null;
  },
  async after({ system, fleet, settings }) {
    const read = () => readDeployment(system.rest, deployment);
    const { counts } = await until(read, ({ state }) => state === 'completed', settings.recoveryMs);
    if (counts.succeeded !== fleet.ids.length) throw new Error(`updates: ${JSON.stringify(counts)}`);
  },
});
