/** Renewal, grants, revocation and bans through the public face: REST, what the broker's rules post, and what is sent to the broker. */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { beforeEach, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { auditLog } from '../audit/table.ts';
import type { Context } from '../context.ts';
import { query } from '../db/query.ts';
import { everything } from '../devices/reach.ts';
import { AppError } from '../errors.ts';
import { type Json, startTestWebhook, type TestDevice } from '../testing.ts';
import { createMemoryStore, type MemoryStore } from '../testing-store.ts';
import { startSuite } from '../testing-suite.ts';
import { createRefreshCrls, publishCrls } from './crl.ts';
import { countExpiring, listExpiring } from './inventory.ts';
import { certificates, deviceBans, renewals } from './table.ts';

const day = 86_400_000;
const { database, webhook } = await startSuite();
beforeEach(() => {
  webhook.authority.away = false;
  webhook.authority.lifetimeMs = 90 * day;
  webhook.broker.onKick = () => {};
});

const csrFor = (name: string, key = randomUUID()) => `CSR ${name} ${key}`;
const get = async (path: string) => (await webhook.api('GET', path)).body;
const certificateOf = (serial: string) => get(`/api/certificates/${serial}`);

async function issueTo(device: TestDevice, csr = csrFor(device.id)) {
  const { token } = (await webhook.api('POST', '/api/certificates/tokens', { commonName: device.id })).body;
  const { status, body } = await webhook.api(
    'POST',
    '/api/issue_cert',
    { csr },
    { authorization: `Bearer ${token}` },
  );
  expect(status).toBe(200);
  return body as { serial: string; certificate: string };
}

/** As if it had been issued earlier, with this many days left of 90. */
async function age(serial: string, daysLeft: number) {
  const end = new Date(Date.now() + daysLeft * day);
  const start = new Date(end.getTime() - 90 * day);
  await database.db
    .update(certificates)
    .set({ notBefore: start, issuedAt: start, notAfter: end })
    .where(eq(certificates.serial, serial));
}

test('a device that tells no epoch is heard from the start when it has enrolled anew; one that does begins its own', async () => {
  const [silent, telling] = [await webhook.device(), await webhook.device()];
  const image = (n: number) => String(n).repeat(64);
  const runs = async ({ id }: TestDevice) => (await get(`/api/devices/${id}`)).running[0].sha256;
  await issueTo(silent);
  await silent.boot(image(1), [500, 0]);
  await telling.boot(image(1), [500, 0], 'power_on', 'its-own');
  // Its storage was lost, its identity was not: it might be a message of the past that was sent again.
  await silent.boot(image(2), [1, 0]);
  expect(await runs(silent)).toBe(image(1));
  for (const device of [silent, telling]) await issueTo(device, csrFor(device.id));
  await silent.boot(image(3), [1, 0]);
  await telling.boot(image(3), [501, 0], 'power_on', 'its-own');
  expect([await runs(silent), await runs(telling)]).toEqual([image(3), image(3)]);
  await silent.boot(image(4), [1, 0]);
  expect(await runs(silent)).toBe(image(3));
  // The firmware that tells epochs, the one that does not, and back again.
  await silent.boot(image(5), [2, 0], 'power_on', 'first');
  await issueTo(silent, csrFor(silent.id));
  await silent.boot(image(6), [3, 0]);
  await silent.boot(image(7), [4, 0], 'power_on', 'first');
  expect(await runs(silent)).toBe(image(7));
});

async function connectedDevice() {
  const device = await webhook.device();
  const { serial } = await issueTo(device);
  await device.connect(Date.now(), serial);
  await device.subscribe(serial);
  return { device, serial };
}

async function renew(device: TestDevice, csr = csrFor(device.id)) {
  const id = randomUUID();
  await device.send('cert/renew/request', { id, csr });
  const answered = () =>
    webhook.broker.to(device.id, 'cert/renew/response').find(({ body }) => body.request === id);
  return (await until('the response', answered)).body;
}

const revoke = (serial: string, reason = 'keyCompromise') =>
  webhook.api('POST', `/api/certificates/${serial}/revoke`, { reason });
const kicksOf = (device: TestDevice) => webhook.broker.kicked.filter((id) => id === device.id).length;
const actsOn = async (subject: string) =>
  (await database.db.select().from(auditLog).where(eq(auditLog.subject, subject))).map(
    ({ action }) => action,
  );

describe('renewal', () => {
  test('is refused while more than 30 days are left, and says from when on it is due', async () => {
    const { device, serial } = await connectedDevice();
    const { error, certificate } = await renew(device);
    expect([error.code, certificate]).toEqual(['not_due', undefined]);
    expect(error.message).toContain((await certificateOf(serial)).renewableFrom);
    await age(serial, 31);
    expect((await renew(device)).error?.code).toBe('not_due');
    await age(serial, 29);
    expect((await renew(device)).certificate).toMatch(/^leaf/);
  });

  test('of short-lived certificates is due in the last third', async () => {
    webhook.authority.lifetimeMs = 3 * 3600_000;
    const { device, serial } = await connectedDevice();
    expect((await renew(device)).error?.code).toBe('not_due');
    await database.db.execute(
      sql`update certificates set not_before = now() - interval '131 minutes', not_after = now() + interval '49 minutes'
          where serial = ${serial}`,
    );
    expect((await renew(device)).certificate).toMatch(/^leaf/);
  });

  test('of a certificate that did not come through here is granted: its dates are not known', async () => {
    const device = await webhook.device();
    await device.connect(Date.now(), 'ABCD');
    expect((await renew(device)).certificate).toMatch(/^leaf/);
  });

  test('by the same CSR gets the same certificate again, also when it is not due any more', async () => {
    const { device, serial } = await connectedDevice();
    await age(serial, 5);
    const csr = csrFor(device.id);
    const first = await renew(device, csr);
    expect((await renew(device, csr)).certificate).toBe(first.certificate);
    // It has moved over; the answer to that CSR is still that certificate, and another CSR is too early.
    const [, renewed] = /^leaf (\S+)/.exec(first.certificate)!;
    await device.connect(Date.now() + 1, renewed);
    expect((await renew(device, csr)).certificate).toBe(first.certificate);
    expect((await renew(device)).error?.code).toBe('not_due');
  });

  test('overlaps: the old certificate is good until the new one is seen, also for asking again with another key', async () => {
    const { device, serial } = await connectedDevice();
    await age(serial, 5);
    const [, lost] = /^leaf (\S+)/.exec((await renew(device)).certificate)!;
    expect([(await certificateOf(serial)).status, (await certificateOf(lost!)).status]).toEqual([
      'valid',
      'unused',
    ]);
    const [, kept] = /^leaf (\S+)/.exec((await renew(device)).certificate)!;
    expect(kept).not.toBe(lost);
    await device.connect(Date.now() + 1, kept);
    const statuses = await Promise.all([serial, kept!].map(certificateOf));
    expect(statuses.map(({ status }) => status)).toEqual(['superseded', 'valid']);
    expect(kicksOf(device)).toBe(0);
  });

  test('of a storm is answered whole, and a device that asks forty times keeps no other waiting', async () => {
    const loud = await webhook.device();
    const others = await Promise.all(Array.from({ length: 60 }, () => webhook.device()));
    await Promise.all(
      Array.from({ length: 40 }, () =>
        loud.send('cert/renew/request', { id: randomUUID(), csr: csrFor(loud.id) }),
      ),
    );
    await Promise.all(others.map((device) => renew(device)));
    await until('all of the loud one', () => webhook.broker.to(loud.id, 'cert/renew/response').length === 40);
  });
});

describe('a grant', () => {
  const redeem = (token: string, csr: string) =>
    webhook.api('POST', '/api/issue_cert', { csr }, { authorization: `Bearer ${token}` });

  test('brings a device whose certificate has expired back, by the key that it had and no other', async () => {
    const device = await webhook.device();
    const key = randomUUID();
    const { serial } = await issueTo(device, csrFor(device.id, key));
    await age(serial, -3);
    expect((await get('/api/certificates/expiring?days=0')).items).toContainEqual(
      expect.objectContaining({ device: device.id, serial }),
    );
    const granted = await webhook.api('POST', '/api/certificates/grants', { device: device.id });
    expect(granted).toMatchObject({ status: 201, body: { serial } });
    const { token } = granted.body;
    const stranger = await redeem(token, csrFor(device.id));
    expect([stranger.status, stranger.body.code]).toEqual([422, 'csr_key_mismatch']);
    const other = await webhook.device();
    expect((await redeem(token, csrFor(other.id, key))).body.code).toBe('csr_name_mismatch');
    expect((await redeem(token, csrFor(device.id, key))).status).toBe(200);
    expect((await redeem(token, csrFor(device.id))).body.code).toBe('token_invalid');
    expect(await actsOn(device.id)).toContain('certificate.grant');
  });

  test('is void once its key is compromised', async () => {
    const device = await webhook.device();
    const key = randomUUID();
    const { serial } = await issueTo(device, csrFor(device.id, key));
    const { token } = (await webhook.api('POST', '/api/certificates/grants', { device: device.id })).body;
    await revoke(serial, 'keyCompromise');
    expect((await redeem(token, csrFor(device.id, key))).body.code).toBe('token_invalid');
  });

  test('is not made for a device without a known key, or one that is compromised', async () => {
    const device = await webhook.device();
    const grant = () => webhook.api('POST', '/api/certificates/grants', { device: device.id });
    expect((await grant()).body.code).toBe('no_known_key');
    const { serial } = await issueTo(device);
    await revoke(serial, 'keyCompromise');
    expect((await grant()).body.code).toBe('no_known_key');
  });
});

describe('devices whose certificate ends soon', () => {
  test('are counted at 30, 14 and 3 days, and listed with the most urgent first', async () => {
    const before = (await get('/api/certificates/expiring')).counts;
    const serials: string[] = [];
    for (const left of [40, 20, 10, 2]) {
      const { serial } = await issueTo(await webhook.device());
      await age(serial, left);
      serials.push(serial);
    }
    const { counts, items, total } = await get('/api/certificates/expiring?days=14&limit=1000');
    expect(counts).toEqual({
      ...before,
      within30Days: before.within30Days + 3,
      within14Days: before.within14Days + 2,
      within3Days: before.within3Days + 1,
    });
    const listed = items.map((item: { serial: string }) => item.serial);
    expect(listed.filter((serial: string) => serials.includes(serial))).toEqual([serials[3], serials[2]]);
    expect(total).toBe(items.length);
    const metrics = await (await fetch(`http://127.0.0.1:${webhook.copy.internalPort}/metrics`)).text();
    for (const [days, count] of [
      [30, counts.within30Days],
      [14, counts.within14Days],
      [3, counts.within3Days],
    ])
      expect(metrics).toContain(`flota_device_certificates_expiring{days="${days}"} ${count}\n`);
    expect(metrics).toContain(`flota_device_certificates_expired ${counts.expired}\n`);
    const filtered = await get('/api/certificates?expiresWithinDays=30&limit=1000');
    expect(filtered.items.map((item: { serial: string }) => item.serial)).toEqual(
      expect.arrayContaining(serials.slice(1)),
    );
  });

  test('are found without reading the others, however many have old certificates that end as soon', async () => {
    const { db } = database;
    const undone = new Error('undone');
    const work = db.transaction(async (tx) => {
      await tx.execute(sql`insert into devices (id, name, hardware)
        select 'old-' || n, 'Old ' || n, 'esp32-s3' from generate_series(1, 4000) n`);
      // The newest of each but one ends in two months; those before, which were superseded, from a month ago to a month from now.
      await tx.execute(sql`
        insert into certificates (serial, profile, common_name, certificate, chain, not_before, not_after, issued_at, revoked_at)
        select upper(md5(id || k)), 'device', id, repeat('c', 900), repeat('c', 900), now(), t, t - interval '90 days',
          case when k > 0 then now() end
        from devices, generate_series(0, 2) k,
          lateral (select now() + make_interval(days => case when k = 0 then case id when 'old-1' then 10 else 60 end else mod(abs(hashtext(id || k)), 60) - 30 end) as t) ends
        where id like 'old-%'`);
      await tx.execute(sql`analyze certificates, certificates_in_use, devices`);
      const read = async () => {
        const statistics = sql`select (seq_tup_read + idx_tup_fetch)::int as n from pg_stat_xact_user_tables where relname in ('certificates', 'certificates_in_use')`;
        return (await query<{ n: number }>(tx, statistics))[0]!.n;
      };
      const before = await read();
      await countExpiring(tx, everything);
      await listExpiring(tx, everything, { days: 14, limit: 50, offset: 0 });
      expect((await read()) - before).toBeLessThan(100);
      throw undone;
    });
    await expect(work).rejects.toBe(undone);
  });
});

describe('certificates', () => {
  test('are listed, searched, filtered and paged on the server, with details one by one', async () => {
    const { device, serial } = await connectedDevice();
    const found = await get(`/api/certificates?search=${device.id}`);
    expect(found).toMatchObject({ total: 1, items: [{ serial, commonName: device.id, status: 'valid' }] });
    expect((await get(`/api/certificates?search=${serial.slice(0, 20)}`)).total).toBe(1);
    expect((await get(`/api/certificates?commonName=${device.id}&status=revoked`)).items).toEqual([]);
    expect((await get('/api/certificates?limit=1')).items).toHaveLength(1);
    const details = await certificateOf(serial.toLowerCase());
    expect(details).toMatchObject({ serial, certificate: expect.stringContaining(serial), revocation: null });
    expect(details.firstSeenAt).not.toBeNull();
    expect((await webhook.api('GET', '/api/certificates/ABCDEF')).status).toBe(404);
    expect((await webhook.api('GET', '/api/certificates', undefined, {})).status).toBe(401);
  });
});

describe('a revoked certificate', () => {
  test('ends its connection before that is answered, is in the audit log, and then in the CRL', async () => {
    const { device, serial } = await connectedDevice();
    const { status, body } = await revoke(serial);
    expect(kicksOf(device)).toBeGreaterThan(0);
    expect([status, body.status, body.revocation]).toEqual([
      200,
      'revoked',
      expect.objectContaining({ reason: 'keyCompromise', by: 'api-token' }),
    ]);
    await until('the CRL', async () => (await certificateOf(serial)).revocation.inCrl);
    expect(webhook.authority.revoked.get(serial)).toBe('keyCompromise');
    expect(webhook.objects.objects.get('crl.pem')?.toString()).toContain(serial);
    const published = await webhook.api('GET', '/crl/crl.pem', undefined, {});
    expect([published.status, published.body]).toEqual([200, expect.stringContaining(serial)]);
    expect((await revoke(serial)).body.code).toBe('already_revoked');
    expect(await actsOn(serial)).toEqual(['certificate.revoke']);
  });

  test('is kicked on every return, also when the subscription is known first, and gets no command', async () => {
    const { device, serial } = await connectedDevice();
    await revoke(serial);
    await device.disconnect(Date.now() + 1);
    const firmware = await webhook.firmware();
    const deployment = await webhook.deploy(firmware.id, device);
    for (const round of [2, 3]) {
      const before = kicksOf(device);
      await device.subscribe(serial);
      await device.connect(Date.now() + round, serial);
      await until('another kick', () => kicksOf(device) > before);
    }
    await device.send('cert/renew/request', { id: randomUUID(), csr: csrFor(device.id) });
    // Another device's command has gone its way through the same dispatcher since.
    const other = await connectedDevice();
    await webhook.deploy(firmware.id, other.device);
    await until('the other request', () => other.device.requests().length > 0);
    expect(webhook.broker.sent.filter((sent) => sent.device === device.id && sent.topic !== 'ack')).toEqual(
      [],
    );
    expect((await webhook.target(deployment.id, device)).state).toBe('pending');
  });

  test('leaves its device free to come back with another, and then its commands go', async () => {
    const { device, serial } = await connectedDevice();
    await revoke(serial, 'superseded');
    const firmware = await webhook.firmware();
    await webhook.deploy(firmware.id, device);
    const next = await issueTo(device);
    await until('the first kick', () => kicksOf(device) > 0);
    // As long as the broker has not told that it is gone it is kicked every two seconds.
    await device.disconnect(Date.now() + 1);
    const kicks = kicksOf(device);
    await device.connect(Date.now() + 5, next.serial);
    await device.subscribe(next.serial);
    await until('the request', () => device.requests().length > 0);
    expect(kicksOf(device)).toBe(kicks);
  });

  test('takes effect while the CA and the broker are away, and reaches both when they are back', async () => {
    const { device, serial } = await connectedDevice();
    webhook.authority.away = true;
    webhook.broker.onKick = () => {
      throw new Error('away');
    };
    expect((await revoke(serial)).body.revocation.inCrl).toBe(false);
    const firmware = await webhook.firmware();
    await webhook.deploy(firmware.id, device);
    webhook.authority.away = false;
    webhook.broker.onKick = () => {};
    await until('the kick', () => kicksOf(device) > 0);
    await until('the CRL', async () => (await certificateOf(serial)).revocation.inCrl);
    expect(device.requests()).toEqual([]);
  });

  test('counts at once while the file store is away, and is in the CRL when the store is back', async () => {
    const { device, serial } = await connectedDevice();
    const { put } = webhook.objects;
    let refused = 0;
    webhook.objects.put = async () => {
      refused++;
      throw new AppError('storage_unavailable', 'away');
    };
    try {
      expect((await revoke(serial)).body.revocation.inCrl).toBe(false);
      await until('the kick', () => kicksOf(device) > 0);
      // The CA knows, and publishing has failed: what it says is refused all the same, on this connection and the next.
      await until('the attempt', () => refused > 0);
      expect(webhook.authority.revoked.has(serial)).toBe(true);
      const row = device.row('log', { level: 'info', message: 'x' });
      const said = await webhook.event({ ...row, cert: `SERIALNUMBER=${serial},CN=${device.id}` });
      expect(said.status).toBe(202);
      const letters = await get(`/api/dead_letters?clientId=${device.id}`);
      expect(letters.items.map(({ code }: { code: string }) => code)).toEqual(['certificate_revoked']);
      const before = kicksOf(device);
      await device.connect(Date.now() + 1, serial);
      await until('another kick', () => kicksOf(device) > before);
      expect((await certificateOf(serial)).revocation.inCrl).toBe(false);
      expect(webhook.objects.objects.get('crl.pem')?.toString() ?? '').not.toContain(serial);
    } finally {
      webhook.objects.put = put;
    }
    await until('the CRL', async () => (await certificateOf(serial)).revocation.inCrl);
    expect(webhook.objects.objects.get('crl.pem')?.toString()).toContain(serial);
  });

  test('must have been issued, and the reason must be one of X.509', async () => {
    const { serial } = await connectedDevice();
    expect((await revoke('ABCD')).status).toBe(404);
    expect((await revoke(serial, 'certificateHold')).status).toBe(400);
    expect((await webhook.api('POST', `/api/certificates/${serial}/revoke`, {}, {})).status).toBe(401);
  });
});

describe('the CRL in the file store', () => {
  test('is there before anything is revoked, and is never replaced by an older one', async () => {
    const { device, serial } = await connectedDevice();
    await revoke(serial);
    await until('the CRL', () => webhook.objects.objects.get('crl.pem')?.toString().includes(serial));
    // A copy that starts now publishes what it gets, here an older list.
    const behind = {
      ...webhook.authority,
      crls: async () => [{ name: 'crl.pem', pem: 'OLD', number: 0, nextUpdate: new Date().toISOString() }],
    };
    const asked = new Promise<void>((resolve) => {
      const { crls } = behind;
      behind.crls = () => {
        resolve();
        return crls();
      };
    });
    const copy = await startTestWebhook(database, { objects: webhook.objects, authority: behind });
    await asked;
    await copy.close();
    expect(webhook.objects.objects.get('crl.pem')?.toString()).toContain(serial);
    expect((await webhook.api('GET', '/crl/other.pem', undefined, {})).status).toBe(404);
    expect((await webhook.api('GET', '/crl/crl-7.pem', undefined, {})).status).toBe(404);
    expect(kicksOf(device)).toBeGreaterThan(0);
  });

  test.each<[string, (store: MemoryStore) => void]>([
    ['gone', (store) => store.objects.delete('crl.pem')],
    ['cut off', (store) => store.objects.set('crl.pem', store.objects.get('crl.pem')!.subarray(0, 3))],
    ['an older one', (store) => store.objects.set('crl.pem', Buffer.from('CRL '))],
    ['unreadable', (store) => brokenOnce(store)],
  ])('is made whole at a start and every few minutes when it is %s', async (_, damage) => {
    const { authority, objects } = webhook;
    const refresh = () => createRefreshCrls()({ authority, objects, db: database.db } as unknown as Context);
    await refresh();
    const whole = objects.objects.get('crl.pem')!;
    damage(objects);
    await refresh();
    expect(objects.objects.get('crl.pem')).toEqual(whole);
    const metrics = await (await fetch(`http://127.0.0.1:${webhook.copy.internalPort}/metrics`)).text();
    expect(metrics).toMatch(/^flota_crl_unpublished_seconds\{name="crl.pem"\} [0-9]\./m);
  });

  test('is written when the store is back, which was away when the copy started', async () => {
    const objects = createMemoryStore();
    let away = true;
    const store = {
      ...objects,
      put: (...args: Parameters<MemoryStore['put']>) =>
        away ? Promise.reject(new AppError('storage_unavailable', 'away')) : objects.put(...args),
    };
    const logged: string[] = [];
    const log = (_: string, message: string) => void logged.push(message);
    const place = {
      authority: webhook.authority,
      objects: store,
      db: database.db,
      log,
    } as unknown as Context;
    const copy = await startTestWebhook(database, { objects: store, authority: webhook.authority, log });
    await until('the attempt', () => logged.includes('dispatch postponed'));
    expect((await fetch(`${copy.copy.url}/readyz`)).status).toBe(200);
    away = false;
    await publishCrls(place);
    await copy.close();
    expect(objects.objects.has('crl.pem')).toBe(true);
  });
});

/** Its next read fails, as of a file that a power cut has torn. */
function brokenOnce(store: MemoryStore): void {
  const { open } = store;
  store.open = async () => {
    store.open = open;
    store.objects.set('crl.pem', Buffer.alloc(0));
    throw new AppError('storage_unavailable', 'an object file is cut off');
  };
}

describe('superseded certificates', () => {
  test('are revoked once the newer one has been in use for a while, without a kick, and are in the CRL', async () => {
    const { device, serial } = await connectedDevice();
    const { serial: newer } = await issueTo(device);
    const unused = (await issueTo(device)).serial;
    await age(serial, 5);
    await database.db.execute(
      sql`update certificates set issued_at = now() - interval '1 hour' where serial = ${newer}`,
    );
    await device.connect(Date.now() + 1, newer);
    await database.db.execute(
      sql`update certificates set first_seen_at = now() - interval '11 minutes' where serial = ${newer}`,
    );
    // A copy that starts looks at once.
    const copy = await startTestWebhook(database, { objects: webhook.objects });
    await until('the revocation', async () => (await certificateOf(serial)).revocation?.inCrl);
    expect((await certificateOf(serial)).revocation).toMatchObject({ reason: 'superseded', by: 'system' });
    expect([(await certificateOf(newer)).status, (await certificateOf(unused)).status]).toEqual([
      'valid',
      'unused',
    ]);
    expect(await actsOn(serial)).toEqual(['certificate.revoke']);
    expect(kicksOf(device)).toBe(0);
    await copy.close();
  });
});

describe('a deleted device', () => {
  test('loses its certificates and its connection, and is kicked again for whatever it says', async () => {
    const { device, serial } = await connectedDevice();
    webhook.broker.onKick = () => {
      throw new Error('away');
    };
    expect((await webhook.api('DELETE', `/api/devices/${device.id}`)).status).toBe(204);
    expect((await certificateOf(serial)).revocation).toMatchObject({ reason: 'cessationOfOperation' });
    webhook.broker.onKick = () => {};
    await device.connect(Date.now() + 5, serial);
    await until('the kick', () => kicksOf(device) > 0);
    await until('the CRL', async () => (await certificateOf(serial)).revocation.inCrl);
    expect(await actsOn(serial)).toEqual(['certificate.revoke']);
  });
});

describe('for a deleted device', () => {
  const remove = async ({ id }: TestDevice) =>
    expect((await webhook.api('DELETE', `/api/devices/${id}`)).status).toBe(204);
  const usable = async ({ id }: TestDevice) =>
    (await get(`/api/certificates?commonName=${id}`)).items.filter((one: Json) => one.revocation === null);

  test('no token of before gets a certificate, also once its name is registered again', async () => {
    const device = await webhook.device();
    const { token } = (await webhook.api('POST', '/api/certificates/tokens', { commonName: device.id })).body;
    await remove(device);
    await webhook.api('POST', '/api/devices', { id: device.id, hardware: 'esp32-s3' });
    const bearer = { authorization: `Bearer ${token}` };
    const { body } = await webhook.api('POST', '/api/issue_cert', { csr: csrFor(device.id) }, bearer);
    expect(body.code).toBe('token_invalid');
  });

  test('no renewal that waited for the CA is worked off', async () => {
    const { device, serial } = await connectedDevice();
    await age(serial, 3);
    webhook.authority.away = true;
    const [id, csr] = [randomUUID(), csrFor(device.id)];
    await device.send('cert/renew/request', { id, csr });
    await remove(device);
    webhook.authority.away = false;
    await database.db.execute(sql`update renewals set try_at = now()`);
    await until('nothing to wait', async () => (await database.db.select().from(renewals)).length === 0);
    expect(await usable(device)).toEqual([]);
    expect(webhook.broker.to(device.id, 'cert/renew/response')).toEqual([]);
  });
});

describe('a device for which the CA works', () => {
  /** The CA has made the certificate, and the device goes before anybody has heard of that. */
  const removeMeanwhile = (device: TestDevice, work: () => Promise<void>) =>
    meanwhile(device, work, async () => {
      expect((await webhook.api('DELETE', `/api/devices/${device.id}`)).status).toBe(204);
    });
  async function meanwhile(
    { id }: TestDevice,
    work: () => Promise<void>,
    act: () => Promise<unknown>,
  ): Promise<Json> {
    const { authority } = webhook;
    const { issue } = authority;
    authority.issue = async (request) => {
      const issued = await issue(request);
      await act();
      return issued;
    };
    try {
      await work();
    } finally {
      authority.issue = issue;
    }
    const { items } = await get(`/api/certificates?commonName=${id}`);
    return items.map((one: Json) => one.revocation?.reason);
  }

  test('gets none by its token when it is deleted meanwhile, and what was made is revoked', async () => {
    const device = await webhook.device();
    const { token } = (await webhook.api('POST', '/api/certificates/tokens', { commonName: device.id })).body;
    const made = await removeMeanwhile(device, async () => {
      const bearer = { authorization: `Bearer ${token}` };
      const { body } = await webhook.api('POST', '/api/issue_cert', { csr: csrFor(device.id) }, bearer);
      expect(body.code).toBe('token_invalid');
    });
    expect(made).toEqual(['cessationOfOperation']);
  });

  const renew = (device: TestDevice) => async () => {
    await device.send('cert/renew/request', { id: randomUUID(), csr: csrFor(device.id) });
    await until('the answer of the CA', async () => {
      const { items } = await get(`/api/certificates?commonName=${device.id}`);
      return items.length === 2;
    });
  };

  test('keeps what another copy has answered it with', async () => {
    const { device, serial } = await connectedDevice();
    await age(serial, 3);
    const made = await meanwhile(device, renew(device), () =>
      database.db.delete(renewals).where(eq(renewals.deviceId, device.id)),
    );
    expect(made).toEqual([undefined, undefined]);
  });

  test('gets none by its renewal either', async () => {
    const { device, serial } = await connectedDevice();
    await age(serial, 3);
    const made = await removeMeanwhile(device, renew(device));
    expect(made).toEqual(['cessationOfOperation', 'cessationOfOperation']);
    expect(webhook.broker.to(device.id, 'cert/renew/response')).toEqual([]);
  });
});

describe('a banned device', () => {
  const ban = (device: TestDevice) =>
    webhook.api('POST', '/api/bans', { device: device.id, reason: 'stolen' });

  test('is kicked now and on every return with any certificate, and gets neither commands nor certificates', async () => {
    const { device } = await connectedDevice();
    const { token } = (await webhook.api('POST', '/api/certificates/tokens', { commonName: device.id })).body;
    expect(await ban(device)).toMatchObject({ status: 201, body: { device: device.id, reason: 'stolen' } });
    expect((await ban(device)).body.code).toBe('already_banned');
    // More than one where the next look for the blocked comes before the broker has told that it is gone.
    await until('the kick', () => kicksOf(device) > 0);
    await device.disconnect(Date.now() + 1);
    const before = kicksOf(device);
    await device.connect(Date.now() + 5, 'ABCDEF');
    await device.subscribe();
    await until('another kick', () => kicksOf(device) > before);
    const redeemed = await webhook.api(
      'POST',
      '/api/issue_cert',
      { csr: csrFor(device.id) },
      { authorization: `Bearer ${token}` },
    );
    expect([redeemed.status, redeemed.body.code]).toEqual([403, 'device_banned']);
    expect(await get('/api/bans')).toContainEqual(expect.objectContaining({ device: device.id }));
  });

  test('is in the list of the broker as soon as that can be told, again when it has lost it, and out when lifted', async () => {
    const { device } = await connectedDevice();
    const { banned } = webhook.broker;
    webhook.broker.onBan = () => {
      throw new Error('away');
    };
    await ban(device);
    webhook.broker.onBan = () => {};
    await until('the ban', () => banned.get(device.id) === 'stolen');
    banned.clear();
    const later = () =>
      database.db.update(deviceBans).set({ tellAt: new Date() }).where(eq(deviceBans.deviceId, device.id));
    await later();
    await until('the ban again', () => banned.has(device.id));
    await webhook.api('DELETE', `/api/bans/${device.id}`);
    await until('the end of it', () => !banned.has(device.id));
    expect((await get('/api/bans')).map((b: { device: string }) => b.device)).not.toContain(device.id);
    expect((await ban(device)).status).toBe(201);
    await until('the next ban', () => banned.has(device.id));
    await webhook.api('DELETE', `/api/bans/${device.id}`);
    await until('the end of that', () => !banned.has(device.id));
    await database.db
      .update(deviceBans)
      .set({ tellAt: new Date(), liftedAt: new Date(Date.now() - 31_000) })
      .where(eq(deviceBans.deviceId, device.id));
    await until(
      'its row is gone',
      async () =>
        (await database.db.select().from(deviceBans).where(eq(deviceBans.deviceId, device.id))).length === 0,
    );
  });

  test('comes back when the ban is lifted, with the certificate that it had', async () => {
    const { device, serial } = await connectedDevice();
    await ban(device);
    const firmware = await webhook.firmware();
    await webhook.deploy(firmware.id, device);
    expect((await webhook.api('DELETE', `/api/bans/${device.id}`)).status).toBe(204);
    expect((await webhook.api('DELETE', `/api/bans/${device.id}`)).status).toBe(404);
    expect((await certificateOf(serial)).status).toBe('valid');
    await device.connect(Date.now() + 5, serial);
    await device.subscribe(serial);
    await until('the request', () => device.requests().length > 0);
    expect(await actsOn(device.id)).toEqual(expect.arrayContaining(['device.ban', 'device.unban']));
  });

  test('must be registered', async () => {
    expect((await webhook.api('POST', '/api/bans', { device: 'nobody' })).status).toBe(404);
  });
});
