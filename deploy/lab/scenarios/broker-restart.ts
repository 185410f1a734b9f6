import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: 'A broker restart',
  about: 'The broker goes in the middle of the rollout and forgets its sessions: no result is lost.',
  options: { devices: '60', image: '1MiB', bandwidth: '1mbit' },
  disturbances: [{ atPercent: 40, strike: 'kill broker', forMs: 3_000 }],
  expect: { state: 'completed', successPercent: '== 100', disagreements: '== 0', redownloadPercent: '<= 1' },
});
