import { findRepeated } from '../checks.ts';
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
    'Webhook, database, broker, store and CA are a day ahead, then a day behind: what devices say is stored and what they are sent arrives all the same.',
  site: 'processes',
  faults: ({ clockFile }) => (['+1d', '-1d'] as const).map((by) => clockJump(clockFile!, by, 'every server')),
  heldUp: 'none',
  async during({ system, fleet, settings }) {
    // Asked of the copy itself: the proxy has a clock of its own.
    const ahead = async () => {
      const { headers } = await fetch(system.metricsUrls[0]!);
      return Math.abs(Date.parse(headers.get('date')!) - Date.now());
    };
    await until(ahead, (ms) => ms > dayMs / 2, settings.recoveryMs);
    deployment = await deployNext(system, ++updates, fleet.ids);
    return 3;
  },
  async after({ system, database, fleet, settings }) {
    const read = () => readDeployment(system.rest, deployment);
    const { counts } = await until(read, ({ state }) => state === 'completed', settings.recoveryMs);
    if (counts.succeeded !== fleet.ids.length) throw new Error(`updates: ${JSON.stringify(counts)}`);
    const repeated = await findRepeated(database.db);
    if (repeated.length > 0) throw new Error(repeated.join('; '));
  },
});
