import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: "The devices' clock jumps",
  about:
    'A day ahead in the middle of the download, then a day behind: every device gets there, from where it was.',
  options: { devices: '20', image: '512KiB', bandwidth: '512kbit' },
  disturbances: [
    { atPercent: 20, strike: 'clock +1d', forMs: 3_000 },
    { atPercent: 60, strike: 'clock -1d', forMs: 3_000 },
  ],
  expect: { state: 'completed', successPercent: '== 100', disagreements: '== 0', redownloadPercent: '<= 5' },
});
