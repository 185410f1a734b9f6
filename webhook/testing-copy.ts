/** For tests only: one copy of the webhook in a process of its own, which can be killed. Told what it needs, it tells its ports. */
import { createEmqxApi } from '#emqx/api.ts';
import { connect } from './db/connect.ts';
import { startTestWebhook } from './testing.ts';

export interface CopyOrder {
  databaseUrl: string;
  emqxUrl: string;
}
export interface CopyPorts {
  port: number;
  internalPort: number;
}

process.once('message', async ({ databaseUrl, emqxUrl }: CopyOrder) => {
  const database = await connect({ url: databaseUrl, connections: 5 });
  const broker = createEmqxApi({ url: emqxUrl, key: 'test', secret: 'test' });
  const { copy } = await startTestWebhook(database, { broker: broker as never });
  process.send!({ port: copy.port, internalPort: copy.internalPort } satisfies CopyPorts);
  process.once('SIGTERM', async () => {
    await copy.close();
    await database.close();
    process.exit(0);
  });
});
