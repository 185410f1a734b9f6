import { experiment } from '../fleet/scenario.ts';

export default experiment({
  title: '5,000 connections churning',
  about:
    'Every device of a large fleet loses its connection every ten minutes, eight of them a second, while all are updated: nobody is left behind.',
  options: { devices: '5000', image: '16KiB', disconnects: '0.1/min', timeout: '60min' },
  expect: { state: 'completed', successPercent: '== 100', disagreements: '== 0', crashedProcesses: '== 0' },
});
