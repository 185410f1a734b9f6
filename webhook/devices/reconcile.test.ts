import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { BrokerClient } from '#emqx/api.ts';
import { readClock } from '../db/clock.ts';
import { type Lease, takeLease } from '../db/lease.ts';
import {
  createRecordingBroker,
  openDatabase,
  type RecordingBroker,
  startTestWebhook,
  type TestDatabase,
  type TestDevice,
  type TestWebhook,
} from '../testing.ts';
import { createListedIds } from './listed-ids.ts';

const minute = 60_000;
const times = { periodMs: 3_600_000, faultMs: 30, youngMs: minute, settledMs: minute, watchMs: 30 };

let database: TestDatabase;
/** Registers devices and says what happens to them; it never looks at the list itself, apart from its start. */
let events: TestWebhook;
const open: TestWebhook[] = [];

beforeAll(async () => {
  database = await openDatabase();
  events = await startTestWebhook(database, { reconcile: times });
});
afterEach(async () => {
  for (const copy of open.splice(0)) await copy.close();
});
afterAll(async () => {
  await events?.close();
  await database?.close();
});

const client = (device: TestDevice, connectedAt: number): BrokerClient => ({
  clientid: device.id,
  connected: true,
  connectedAt,
});

/**
 * A copy that starts, and so reconciles, with a broker that lists these; `meanwhile` happens while it lists. It knows `slipped`
 * too, but not on any of the list's pages.
 */
async function reconcile(
  listed: BrokerClient[],
  meanwhile?: () => Promise<unknown>,
  answer?: RecordingBroker['answer'],
  slipped: BrokerClient[] = [],
) {
  const broker = createRecordingBroker();
  if (answer) broker.answer = answer;
  let lists = 0;
  broker.listClients = async function* ({ connected, ids } = {}) {
    expect(connected).toBe(true);
    if (ids) return yield slipped.filter(({ clientid }) => ids.includes(clientid));
    lists++;
    await meanwhile?.();
    yield listed;
  };
  const since = await readClock(database.db);
  const copy = await startTestWebhook(database, { broker, reconcile: times });
  open.push(copy);
  await until('a whole round', async () => {
    const lease = await database.db.query.leases.findFirst({ where: (l, { eq }) => eq(l.name, 'presence') });
    return lease?.doneAt && lease.beganAt.getTime() >= since;
  });
  return { broker, copy, lists: () => lists };
}
async function reconciled(...args: Parameters<typeof reconcile>): Promise<void> {
  const { copy } = await reconcile(...args);
  open.splice(open.indexOf(copy), 1);
  await copy.close();
}
const isOnline = async (device: TestDevice) =>
  (await events.api('GET', `/api/devices/${device.id}`)).body.online;
async function online(connectedAt: number): Promise<TestDevice> {
  const device = await events.device();
  await device.connect(connectedAt);
  // The subscription sets when it was last heard of, which is before any listing below.
  await device.subscribe();
  return device;
}

describe('presence follows the list of the broker', () => {
  test('in both directions', async () => {
    const stays = await online(Date.now() - 10 * minute);
    const went = await online(Date.now() - 10 * minute);
    const came = await events.device();
    await reconciled([client(stays, Date.now() - 10 * minute), client(came, Date.now() - 5 * minute)]);
    expect([await isOnline(stays), await isOnline(went), await isOnline(came)]).toEqual([true, false, true]);
  });

  test('who slips through between two pages of the list stays online: the broker is asked for it by id', async () => {
    const device = await online(Date.now() - 10 * minute);
    await reconciled([], undefined, undefined, [client(device, Date.now() - 10 * minute)]);
    expect(await isOnline(device)).toBe(true);
  });

  test('and one that was marked offline by mistake comes back with the same connection', async () => {
    const connectedAt = Date.now() - 10 * minute;
    const device = await online(connectedAt);
    await reconciled([]);
    expect(await isOnline(device)).toBe(false);
    await reconciled([client(device, connectedAt)]);
    expect(await isOnline(device)).toBe(true);
  });

  test('but a list does not overrule what was heard since it began', async () => {
    const came = await online(Date.now() - 10 * minute);
    const connectedAt = Date.now() - 10 * minute;
    const went = await online(connectedAt);
    await reconciled([client(went, connectedAt)], async () => {
      await came.connect(Date.now());
      await came.subscribe();
      await went.disconnect(connectedAt);
    });
    expect([await isOnline(came), await isOnline(went)]).toEqual([true, false]);
  });

  test('nor a connection that is too young for it', async () => {
    const device = await online(Date.now() - 5_000);
    await reconciled([]);
    expect(await isOnline(device)).toBe(true);
  });

  test('at once when a node of the broker runs no more: it says nothing of who was connected to it', async () => {
    const [stays, dies] = [await online(Date.now() - 10 * minute), await online(Date.now() - 10 * minute)];
    const broker = createRecordingBroker();
    let running = ['emqx@a', 'emqx@b'];
    let looks = 0;
    broker.runningNodes = async () => {
      looks++;
      return running;
    };
    broker.listClients = async function* ({ ids } = {}) {
      const there = running.length === 2 ? [stays, dies] : [stays];
      yield there
        .filter(({ id }) => !ids || ids.includes(id))
        .map((device) => client(device, Date.now() - 10 * minute));
    };
    open.push(await startTestWebhook(database, { broker, reconcile: times }));
    await until('some looks', () => looks > 3);
    expect([await isOnline(stays), await isOnline(dies)]).toEqual([true, true]);
    running = ['emqx@a'];
    await until('its device is offline', async () => !(await isOnline(dies)));
    expect(await isOnline(stays)).toBe(true);
  });

  test('the events of a connection that was first seen in the list still count', async () => {
    const device = await events.device();
    const connectedAt = Date.now() - 5 * minute;
    await reconciled([client(device, connectedAt)]);
    await device.disconnect(connectedAt);
    expect(await isOnline(device)).toBe(false);
  });

  test('a late end of an older connection does not', async () => {
    const device = await online(Date.now() - 10 * minute);
    await reconciled([client(device, Date.now() - 5 * minute)]);
    await device.disconnect(Date.now() - 10 * minute);
    expect(await isOnline(device)).toBe(true);
  });
});

describe('a device whose subscription nobody reported', () => {
  async function waiting(connectedAt: number) {
    const device = await events.device();
    await device.connect(connectedAt);
    const deployment = await events.deploy((await events.firmware()).id, device);
    return { device, deployment };
  }
  const requests = (broker: RecordingBroker, device: TestDevice) =>
    broker.to(device.id, 'firmware/download/request');

  test('gets its command once it has been connected for long enough to have subscribed', async () => {
    const connectedAt = Date.now() - 2 * minute;
    const { device, deployment } = await waiting(connectedAt);
    expect((await events.target(deployment.id, device)).state).toBe('pending');
    const { broker } = await reconcile([client(device, connectedAt)]);
    await until('the request', () => [...requests(broker, device), ...device.requests()].length > 0);
    expect((await events.target(deployment.id, device)).state).toBe('sent');
  });

  test('waits for the subscription while it may still be on its way', async () => {
    const connectedAt = Date.now() - 1_000;
    const { device, deployment } = await waiting(connectedAt);
    await reconciled([client(device, connectedAt)]);
    expect((await events.target(deployment.id, device)).state).toBe('pending');
    await device.subscribe();
    await until('the request', () => device.requests().length > 0);
  });

  test('waits for it again when the broker says that nobody is subscribed', async () => {
    const connectedAt = Date.now() - 2 * minute;
    const { device, deployment } = await waiting(connectedAt);
    let absent = 0;
    const nobody = () => {
      absent++;
      return { kind: 'no_subscriber' as const };
    };
    events.broker.answer = nobody;
    const { broker } = await reconcile([client(device, connectedAt)], undefined, nobody);
    await until('an answer', () => absent > 0);
    const reachable = async () =>
      (await database.db.query.devices.findFirst({ where: (d, { eq }) => eq(d.id, device.id) }))!.reachable;
    await until('unreachable', async () => !(await reachable()));
    events.broker.answer = broker.answer = () => ({ kind: 'routed' });
    await device.subscribe();
    await until('the request', () => [...requests(broker, device), ...device.requests()].length > 0);
    expect((await events.target(deployment.id, device)).attempt).toBe(1);
  });
});

describe('when it looks', () => {
  test('again and again until the broker answers, and once more after it was away', async () => {
    const device = await online(Date.now() - 10 * minute);
    const broker = createRecordingBroker();
    let away = true;
    let lists = 0;
    broker.listClients = async function* () {
      lists++;
      if (away) throw new Error('away');
      yield [client(device, Date.now() - 10 * minute)];
    };
    const copy = await startTestWebhook(database, { broker, reconcile: times });
    open.push(copy);
    await until('two tries', () => lists >= 2);
    away = false;
    const before = lists;
    await until('a good one', () => lists > before);
    const settled = lists;
    broker.answer = () => {
      throw new Error('away');
    };
    // Its ack cannot be sent: that is how the copy learns that the broker is away.
    const report = () => copy.event(device.row('control/response', { seq: [1, 1], command: 'c', ok: true }));
    let failures = 0;
    broker.answer = () => {
      failures++;
      throw new Error('away');
    };
    expect((await report()).status).toBe(204);
    await until('a failed publish', () => failures > 0);
    broker.answer = () => ({ kind: 'routed' });
    expect((await report()).status).toBe(204);
    await until('another look', () => lists > settled);
  });

  test('one copy at a time', async () => {
    const connectedAt = Date.now() - 10 * minute;
    const device = await events.device();
    const other = (await takeLease(database.db, 'presence', -1)) as Lease;
    const broker = createRecordingBroker();
    let looks = 0;
    broker.listClients = async function* ({ ids } = {}) {
      if (!ids) looks++;
      yield [client(device, connectedAt)];
    };
    const copy = await startTestWebhook(database, { broker, reconcile: { ...times, faultMs: 5 } });
    open.push(copy);
    // Its background work goes round meanwhile, and its own first look would have been before that.
    await device.critical('control/response', { seq: [1, 1], command: 'c', ok: true });
    await expect(takeLease(database.db, 'presence', 0)).resolves.toBe('held');
    expect([looks, await isOnline(device)]).toEqual([0, false]);
    await other.end(true);
    await until('a look of its own', () => isOnline(device));
    expect(looks).toBe(1);
  });

  test('who holds the lease and is heard of no more loses it', async () => {
    const dead = (await takeLease(database.db, 'a test', 0)) as Lease;
    const { db } = database;
    await db.execute(sql`update leases set ends_at = now() - interval '1 second' where name = 'a test'`);
    const heir = (await takeLease(db, 'a test', minute)) as Lease;
    await dead.end(true);
    expect(await takeLease(db, 'a test', minute)).toBe('held');
    await heir.end(false);
    const third = (await takeLease(db, 'a test', minute)) as Lease;
    // A clock that went back by an hour.
    await db.execute(sql`update leases set ends_at = now() + interval '1 hour' where name = 'a test'`);
    const fourth = (await takeLease(db, 'a test', minute)) as Lease;
    await third.end(true);
    await fourth.end(true);
    expect(await takeLease(db, 'a test', minute)).toBe('done');
  });
});

test('the ids of a long list are told apart from all others', () => {
  const listed = createListedIds(7);
  for (let n = 0; n < 20_000; n++) listed.add(`dev-${n}`);
  for (let n = 0; n < 20_000; n++) expect(listed.has(`dev-${n}`)).toBe(true);
  const wrong = Array.from({ length: 20_000 }, (_, n) => `dev-${n + 20_000}`).filter((id) => listed.has(id));
  expect(wrong).toEqual([]);
});
