import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: 'Rural LTE',
  about: 'Slow and far away, with cells that drop their devices: downloads are long, and resume.',
  options: {
    devices: '40',
    image: '512KiB',
    latency: '90ms',
    jitter: '60ms',
    loss: '2%',
    bandwidth: '768kbit',
    disconnects: '2/min',
    nights: '4s/30s',
  },
  expect: {
    state: 'completed',
    successPercent: '== 100',
    recoveryPercent: '>= 99',
    redownloadPercent: '<= 5',
  },
});
