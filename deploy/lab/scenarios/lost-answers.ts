import { findRepeated } from '../checks.ts';
import { failing } from '../faults.ts';
import { outage } from '../outage/outage.ts';
import { until } from '../primitives/until.ts';
import { readDeployment } from '../rest.ts';
import { deployNext } from '../soak/update.ts';

let deployment = '';

export default outage({
  title: "The webhook's answers get lost",
  about:
    'It does what it is told, and is told it again and again, an update among it: nothing is done twice.',
  faults: ({ system }) => [failing(system.gate!, 'lost_answer')],
  // What is stored is acked, so that nothing waits for long.
  heldUp: 'none',
  async during({ system, fleet, settings }) {
    deployment = await deployNext(system, 1, fleet.ids);
    const lost = () => system.gate!.failed;
    await until(lost, (requests) => requests > 3 * fleet.ids.length, settings.recoveryMs);
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
