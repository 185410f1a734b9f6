import { databaseStopped } from '../faults.ts';
import { outage } from '../outage/outage.ts';

export default outage({
  title: 'The database stops',
  about:
    'PostgreSQL ends at once, whatever is under way: the webhook refuses what it cannot commit, and takes it later.',
  faults: ({ cluster }) => [databaseStopped(cluster)],
});
