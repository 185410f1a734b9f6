import { short } from './settings.ts';
import { defineOutages } from './suite.ts';

await defineOutages('processes', { ...short, outageMs: 2_000 });
