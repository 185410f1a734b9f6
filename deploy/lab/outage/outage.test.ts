import { short } from './settings.ts';
import { defineOutages } from './suite.ts';

await defineOutages('gate', short);
