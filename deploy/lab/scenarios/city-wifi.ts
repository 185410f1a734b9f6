import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: 'City Wi-Fi',
  about: 'Fast links with some loss and a short disconnect now and then: nobody should notice.',
  options: {
    devices: '60',
    image: '1MiB',
    latency: '15ms',
    jitter: '10ms',
    loss: '0.5%',
    bandwidth: '10mbit',
    disconnects: '0.5/min',
  },
  expect: { state: 'completed', successPercent: '== 100', redownloadPercent: '<= 2', to100Ms: '<= 60000' },
});
