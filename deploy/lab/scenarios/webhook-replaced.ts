import { stop } from '../faults.ts';
import { outage } from '../outage/outage.ts';

export default outage({
  title: 'A new version of the webhook',
  about:
    'The copy that runs ends in its own time and another takes its place, as on every deployment of ours.',
  faults: ({ system }) => [stop(system.copies[0]!)],
});
