import { expect, test } from 'vitest';
import { inRequest, requestScope } from './log.ts';

const moment = () => new Promise((resolve) => setTimeout(resolve, 1));
const idOf = () => requestScope.getStore()?.requestId;

test('what is done for a request knows its id, also while others end', async () => {
  const long = inRequest('long', async () => {
    await inRequest('short', moment);
    await moment();
    return idOf();
  });
  expect(await long).toBe('long');
});

test('once no request is handled no promise of the process is followed any more', async () => {
  let later: Promise<unknown> | undefined;
  await inRequest('over', async () => {
    later = moment().then(idOf);
  });
  expect(await later).toBeUndefined();
});
