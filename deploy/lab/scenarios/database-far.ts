import { slow } from '../faults.ts';
import { outage } from '../outage/outage.ts';

export default outage({
  title: 'The database is two seconds away',
  about:
    'Every statement and every answer of it takes two seconds: what devices say is late, and nothing is lost or done twice.',
  faults: ({ link }) => [slow(link!, 2_000, 'the database')],
  heldUp: 'some',
  // A commit is several statements.
  leastMs: 15_000,
});
