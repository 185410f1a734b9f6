import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: 'Factory with bad reception',
  about: 'Machines that shade the radio and switch the power: every device gets there, from where it was.',
  options: {
    devices: '50',
    image: '1MiB',
    latency: '30ms',
    jitter: '30ms',
    loss: '5%',
    bandwidth: '2mbit',
    disconnects: '3/min',
    'power-cuts': '10%',
    'bad-images': '4%',
  },
  expect: {
    state: 'completed',
    successPercent: '== 100',
    rollbackPercent: '== 100',
    redownloadPercent: '<= 5',
    interruptedDevices: '>= 5',
  },
});
