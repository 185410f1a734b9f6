/** What is said with a certificate that is revoked, or by a device that is banned, is not heard: it is kept as a dead letter. */
import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { certificates } from '../certificates/table.ts';
import { deviceLogs } from '../telemetry/table.ts';
import type { TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { deadLetters } from './table.ts';

const { database, webhook } = await startSuite();
const { db } = database;

async function issueTo(device: TestDevice): Promise<string> {
  const { token } = (await webhook.api('POST', '/api/certificates/tokens', { commonName: device.id })).body;
  const csr = `CSR ${device.id} ${randomUUID()}`;
  const { body } = await webhook.api(
    'POST',
    '/api/issue_cert',
    { csr },
    { authorization: `Bearer ${token}` },
  );
  return body.serial;
}
const revoke = (serial: string) =>
  webhook.api('POST', `/api/certificates/${serial}/revoke`, { reason: 'keyCompromise' });
/** A row as the broker sends it over a connection that was made with this certificate. */
const by = (serial: string, row: ReturnType<TestDevice['row']>) => ({
  ...row,
  cert: `SERIALNUMBER=${serial},CN=${row.clientid}`,
});
const log = (device: TestDevice, message = 'x') => device.row('log', { level: 'info', message });
const response = (device: TestDevice, number: number) =>
  device.row('control/response', { seq: [1, number], command: 'c', ok: true });
const codesOf = async (device: TestDevice) =>
  (await db.select().from(deadLetters).where(eq(deadLetters.clientId, device.id))).map(({ code }) => code);
const logsOf = (device: TestDevice) => db.select().from(deviceLogs).where(eq(deviceLogs.deviceId, device.id));

test('nine messages with a revoked certificate, alone or together, are nine dead letters: none is taken, none acked', async () => {
  const device = await webhook.device();
  const serial = await issueTo(device);
  await device.connect(Date.now(), serial);
  expect((await webhook.event(by(serial, log(device, 'before')))).status).toBe(204);
  expect((await revoke(serial)).status).toBeLessThan(300);
  const other = await webhook.device();
  const statuses = [
    (await webhook.event(by(serial, log(device)))).status,
    ...(await Promise.all([
      ...[1, 2, 3, 4].map((n) => webhook.event(by(serial, response(device, n)))),
      ...[1, 2, 3].map(() => webhook.event(by(serial, log(device)))),
      // The broker prints it as the certificate has it, whatever its case.
      webhook.event(by(serial.toLowerCase(), log(device))),
      webhook.event(log(other)),
    ]).then((answers) => answers.map(({ status }) => status))),
  ];
  expect(statuses).toEqual([...Array(9).fill(202), 204]);
  expect(await codesOf(device)).toEqual(Array(9).fill('certificate_revoked'));
  expect((await logsOf(device)).map(({ message }) => message)).toEqual(['before']);
  expect(webhook.broker.to(device.id, 'ack')).toEqual([]);
});

test('the same message with the certificate that followed is taken and acked, as if it came for the first time', async () => {
  const device = await webhook.device();
  const [old, next] = [await issueTo(device), await issueTo(device)];
  await revoke(old);
  const row = response(device, 1);
  expect((await webhook.event(by(old, row))).status).toBe(202);
  expect((await webhook.event(by(next, row))).status).toBe(204);
  await expect.poll(() => webhook.broker.to(device.id, 'ack').length).toBe(1);
});

test('a superseded certificate is heard until it is revoked', async () => {
  const device = await webhook.device();
  const [old, next] = [await issueTo(device), await issueTo(device)];
  await device.connect(Date.now(), old);
  await device.connect(Date.now() + 1, next);
  expect((await webhook.event(by(old, log(device)))).status).toBe(204);
  // Ten minutes later the background work revokes it.
  await db
    .update(certificates)
    .set({ issuedAt: sql`now() - interval '1 hour'` })
    .where(eq(certificates.serial, old));
  await db
    .update(certificates)
    .set({ firstSeenAt: sql`now() - interval '11 minutes'` })
    .where(eq(certificates.serial, next));
  const revoked = async () =>
    (await db.select().from(certificates).where(eq(certificates.serial, old)))[0]!.revokedAt !== null;
  await expect.poll(revoked).toBe(true);
  expect((await webhook.event(by(old, log(device)))).body.errors[0].message).toBe('certificate_revoked');
  expect((await webhook.event(by(next, log(device)))).status).toBe(204);
});

test('what carries no serial, or one that was never issued here, is heard as ever', async () => {
  const device = await webhook.device();
  await revoke(await issueTo(device));
  for (const cert of [`CN=${device.id}`, 'undefined', '', `SERIALNUMBER=F00D,CN=${device.id}`]) {
    expect((await webhook.event({ ...log(device), cert })).status).toBe(204);
  }
});

test('a banned device is not heard until the ban is lifted; then its message counts, sent again or replayed', async () => {
  const device = await webhook.device();
  const [first, second] = [response(device, 1), response(device, 2)];
  await webhook.api('POST', '/api/bans', { device: device.id, reason: 'stolen' });
  expect((await webhook.event(first)).body.errors[0].message).toBe('device_banned');
  expect((await webhook.event(second)).status).toBe(202);
  expect(webhook.broker.to(device.id, 'ack')).toEqual([]);
  await webhook.api('DELETE', `/api/bans/${device.id}`);
  expect((await webhook.event(first)).status).toBe(204);
  const letters = (await webhook.api('GET', `/api/dead_letters?clientId=${device.id}`)).body.items;
  expect((await webhook.api('POST', `/api/dead_letters/${letters[0].id}/replay`)).body.outcome).toBe(
    'handled',
  );
  await expect.poll(() => webhook.broker.to(device.id, 'ack').length).toBe(2);
});
