import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: 'An S3 outage',
  about: 'The file store is away for five seconds, in the middle of every download: they wait and go on.',
  options: { devices: '60', image: '1MiB', bandwidth: '1mbit' },
  disturbances: [{ atPercent: 40, strike: 'kill store', forMs: 5_000 }],
  expect: {
    state: 'completed',
    successPercent: '== 100',
    recoveryPercent: '== 100',
    redownloadPercent: '<= 1',
  },
});
