import { short } from './settings.ts';
import { defineOutages } from './suite.ts';

await defineOutages('small disk', { ...short, outageMs: 2_000 });
