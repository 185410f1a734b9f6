import { readEmqxUnderTest } from './emqx-under-test.ts';
import { real } from './settings.ts';
import { defineOutages } from './suite.ts';

const { host, ...emqx } = readEmqxUnderTest();
await defineOutages('gate', { ...real, host, emqx });
