/** A copy that is killed between the commit and the receiver's answer: the next one delivers it, with the same id. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { forkGuarded } from '#deploy/lab/primitives/guard.ts';
import { type Cluster, createCluster } from '#deploy/lab/primitives/postgresql.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { connect, type Database } from '../db/connect.ts';
import { startTestWebhook, type TestWebhook } from '../testing.ts';
import type { CopyOrder } from '../testing-copy.ts';
import { tell } from './events.ts';
import { type Receiver, startReceiver } from './testing-receiver.ts';

let cluster: Cluster;
let database: Database;
let receiver: Receiver;
let victim: ChildProcess;
let next: TestWebhook | undefined;

beforeAll(async () => {
  cluster = await createCluster();
  database = await connect({ url: cluster.url });
  receiver = await startReceiver();
  victim = forkGuarded(new URL('../testing-copy.ts', import.meta.url));
  victim.send({ databaseUrl: cluster.url, emqxUrl: 'http://127.0.0.1:9' } satisfies CopyOrder);
  await once(victim, 'message');
});
afterAll(async () => {
  await next?.close();
  victim?.kill('SIGKILL');
  receiver?.close();
  await database?.close();
  await cluster?.remove();
});

test('a copy killed while the receiver has not answered: the next delivers the same event, and after its answer nobody does again', async () => {
  receiver.answer = () => {};
  const { db } = database;
  await db.execute(sql`insert into notification_channels (name, kind, url, secrets, created_by)
    values ('hook', 'webhook', ${`${receiver.url}/hook`}, '[{"secret": "s", "validUntil": null}]', 'test')`);
  await db.execute(sql`insert into notification_rules (name, enabled, kinds, min_severity, created_by)
    values ('all', true, '["dead_letters"]', 'info', 'test')`);
  await db.execute(
    sql`insert into notification_rule_channels select r.id, c.id from notification_rules r, notification_channels c`,
  );
  const fact = { kind: 'dead_letters', severity: 'warning', key: 'one', regionIds: [] as string[] } as const;
  await db.transaction((tx) => tell(tx, [{ ...fact, data: { code: 'x', device: null } }]));
  await until('the first try', () => receiver.on('/hook').length === 1);
  victim.kill('SIGKILL');
  await once(victim, 'exit');

  receiver.answer = (_, response) => response.end('taken');
  next = await startTestWebhook(database);
  // The killed one's lease is over.
  await db.execute(sql`update notification_deliveries set due_at = now() where state = 'waiting'`);
  const states = async () =>
    (await next!.api('GET', '/api/notifications/deliveries')).body.items.map(
      (one: { state: string }) => one.state,
    );
  await until(states, (all) => all[0] === 'delivered');
  // Whatever else there is to be told is told after it: a second fact shows that the first is not tried again.
  await db.transaction((tx) => tell(tx, [{ ...fact, key: 'two', data: { code: 'y', device: null } }]));
  await until('the second fact', () => receiver.on('/hook').length === 3);
  expect(await until(states, (all) => all.every((one: string) => one === 'delivered'))).toHaveLength(2);
  const [first, again, second] = receiver.on('/hook').map((one) => one.body);
  // Each copy of the test is a console of its own.
  expect({ ...again, url: first.url }).toEqual(first);
  expect([again.data.code, second.data.code]).toEqual(['x', 'y']);
  expect(second.id).not.toBe(first.id);
});
