import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: 'A mass reconnect',
  about:
    'The power of the whole fleet goes and comes back at once: all reconnect and go on from their checkpoints.',
  options: { devices: '150', image: '1MiB', bandwidth: '1mbit' },
  disturbances: [{ atPercent: 50, strike: 'power', forMs: 2_000 }],
  expect: {
    state: 'completed',
    successPercent: '== 100',
    reconnectMs: '<= 30000',
    redownloadPercent: '<= 15',
  },
});
