/** For tests only: what almost every file of them begins and ends with. */
import { afterAll } from 'vitest';
import { openDatabase, startTestWebhook, type TestDatabase, type TestWebhook } from './testing.ts';

/** One copy of the webhook on a database of its own, both closed when the file's tests have ended. To be awaited at the file's top. */
export async function startSuite(
  parts: Parameters<typeof startTestWebhook>[1] = {},
): Promise<{ database: TestDatabase; webhook: TestWebhook }> {
  const database = await openDatabase();
  afterAll(() => database.close());
  const webhook = await startTestWebhook(database, parts);
  // After hooks run in reverse: the copy is closed before its database.
  afterAll(() => webhook.close());
  return { database, webhook };
}
