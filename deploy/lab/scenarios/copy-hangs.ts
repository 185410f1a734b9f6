import { hang } from '../faults.ts';
import { outage } from '../outage/outage.ts';

export default outage({
  title: 'One of two copies hangs',
  about:
    'It takes connections and answers none (SIGSTOP): the proxy gives it up, and the other copy does the work.',
  site: 'processes',
  faults: ({ system }) => [hang(system.copies[0]!)],
  heldUp: 'some',
});
