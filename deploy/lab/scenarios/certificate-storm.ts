import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: 'A certificate-renewal storm',
  about: 'Every certificate falls due while the fleet updates: all renew, and no update is lost.',
  options: { devices: '60', image: '1MiB', bandwidth: '512kbit', certificates: '75s' },
  expect: { state: 'completed', successPercent: '== 100', renewedPercent: '== 100' },
});
