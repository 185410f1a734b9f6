import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: 'A bad firmware',
  about: 'Its self-test fails on every device: the first waves must stop it, and who got it must roll back.',
  options: { devices: '50', image: '256KiB', 'bad-images': '100%', waves: '2,20%,100%' },
  expect: { state: 'halted', exposedPercent: '<= 4', badImageDevices: '>= 1', rollbackPercent: '== 100' },
});
