import { slow } from '../faults.ts';
import { outage } from '../outage/outage.ts';

export default outage({
  title: 'The database is far away',
  about:
    'Every statement and every answer of it takes two seconds to get there: what devices say is late, and nothing is lost or done twice.',
  faults: ({ link, settings }) => [slow(link!, settings.farMs, 'the database')],
  heldUp: 'some',
  // A commit is some fifteen statements, there and back.
  leastMs: ({ farMs }) => 30 * farMs,
});
