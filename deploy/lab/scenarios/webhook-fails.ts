import { failing } from '../faults.ts';
import { outage } from '../outage/outage.ts';

export default outage({
  title: 'The webhook fails',
  about:
    'It is down, answers 500 or 503, or takes requests and does nothing: devices say it again until it is heard.',
  faults: ({ system }) => ([500, 503, 'refuse', 'hang'] as const).map((how) => failing(system.gate!, how)),
});
