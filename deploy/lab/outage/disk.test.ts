import { short } from './settings.ts';
import { defineOutages } from './suite.ts';

await defineOutages('small disk', { ...short, devices: 20, outageMs: 2_000 });
