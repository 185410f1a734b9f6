import { readEmqxUnderTest } from '../broker/under-test.ts';
import { real, short } from './settings.ts';
import { defineOutages } from './suite.ts';

const emqx = readEmqxUnderTest();
await defineOutages('gate', emqx ? { ...real, emqx } : short);
