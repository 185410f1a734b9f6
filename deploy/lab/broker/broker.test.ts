/** What Flota promises with a broker: the stand-in under `npm test`, a running EMQX under `npm run test:emqx`. */
import { afterAll, beforeAll } from 'vitest';
import { defineBans } from './bans.ts';
import { type Bed, openBed } from './bed.ts';
import { defineConfiguration } from './configuration.ts';
import { defineMessages } from './messages.ts';
import { defineMqtt5 } from './mqtt5.ts';
import { defineRevocation } from './revocation.ts';
import { readEmqxUnderTest } from './under-test.ts';
import { defineUpdates } from './updates.ts';

let bed: Bed;
beforeAll(async () => {
  // The stand-in looks for a CRL again only because the webhook kicks.
  bed = await openBed({ crlRefreshMs: 3_600_000 });
});
afterAll(() => bed?.close());

defineUpdates(() => bed);
defineMessages(() => bed);
// EMQX looks at a CRL again after its `refresh_interval`, a minute in our configuration.
defineRevocation(() => bed, readEmqxUnderTest() ? 150_000 : 15_000);
defineBans(() => bed);
defineMqtt5(() => bed, readEmqxUnderTest() !== null);
// Last, for it takes the rule files as they are in place of those that the bed has tuned.
defineConfiguration(() => bed);
