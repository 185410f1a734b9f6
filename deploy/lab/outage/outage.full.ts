import { long } from './settings.ts';
import { defineOutages } from './suite.ts';

await defineOutages('gate', long);
