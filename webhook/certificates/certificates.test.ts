import { randomUUID } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import { beforeEach, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { certificates, enrollmentTokens, renewals } from './table.ts';

const { database, webhook } = await startSuite();
beforeEach(() => {
  webhook.authority.away = false;
});

const newName = () => `dev-${randomUUID().slice(0, 8)}`;
const csrFor = (name: string) => `CSR ${name} ${randomUUID()}`;
async function tokenFor(commonName: string, more: object = {}): Promise<string> {
  const answer = await webhook.api('POST', '/api/certificates/tokens', { commonName, ...more });
  expect(answer.status).toBe(201);
  return answer.body.token;
}
const redeem = (token: string | null, csr: unknown) =>
  webhook.api('POST', '/api/issue_cert', { csr }, token === null ? {} : { authorization: `Bearer ${token}` });
const issuedTo = (name: string) =>
  database.db.select().from(certificates).where(eq(certificates.commonName, name));
const refusal = async (answer: ReturnType<typeof redeem>) => {
  const { status, body, headers } = await answer;
  expect(headers.get('content-type')).toBe('application/problem+json');
  return [status, body.code];
};

describe('issue_cert', () => {
  test('gives a certificate for a token, and the same one for the same CSR again', async () => {
    const name = newName();
    const [token, csr] = [await tokenFor(name), csrFor(name)];
    const first = await redeem(token, csr);
    expect(first.status).toBe(200);
    expect(first.body).toMatchObject({
      chain: 'issuing',
      root: 'root',
      serial: expect.stringMatching(/^[0-9A-F]{32}$/),
    });
    expect((await redeem(token, csr)).body).toEqual(first.body);
    expect(await issuedTo(name)).toHaveLength(1);
  });

  test('no token, an unknown, an expired and a used one are refused alike', async () => {
    const name = newName();
    const expired = await tokenFor(name);
    await database.db.execute(
      sql`update enrollment_tokens set expires_at = now() - interval '1 s' where common_name = ${name}`,
    );
    const used = await tokenFor(name);
    expect((await redeem(used, csrFor(name))).status).toBe(200);
    for (const token of [null, 'unknown', expired, used]) {
      expect(await refusal(redeem(token, csrFor(name)))).toEqual([401, 'token_invalid']);
    }
    expect(await issuedTo(name)).toHaveLength(1);
  });

  test('neither the API’s token nor the webhook’s is one', async () => {
    for (const token of ['api-token-for-tests', 'webhook-token-for-tests']) {
      expect(await refusal(redeem(token, csrFor(newName())))).toEqual([401, 'token_invalid']);
    }
  });

  test('the same token twice at once serves one CSR', async () => {
    const name = newName();
    const token = await tokenFor(name);
    const answers = await Promise.all(Array.from({ length: 6 }, () => redeem(token, csrFor(name))));
    expect(answers.map((a) => a.status).sort()).toEqual([200, 401, 401, 401, 401, 401]);
    expect(await issuedTo(name)).toHaveLength(1);
  });

  test('a CSR for somebody else’s name, or none at all, costs nothing and leaves the token for a better one', async () => {
    const name = newName();
    const token = await tokenFor(name);
    expect(await refusal(redeem(token, csrFor('somebody-else')))).toEqual([422, 'csr_name_mismatch']);
    expect(await refusal(redeem(token, 'rubbish'))).toEqual([422, 'csr_malformed']);
    expect(await refusal(redeem(token, ''))).toEqual([400, 'invalid_request']);
    expect(await refusal(redeem(token, 7))).toEqual([400, 'invalid_request']);
    expect(await refusal(redeem(token, 'x'.repeat(20_000)))).toEqual([400, 'invalid_request']);
    expect(await issuedTo(name)).toEqual([]);
    expect((await redeem(token, csrFor(name))).status).toBe(200);
  });

  test('a CA that is away is 503, and its token still belongs to the CSR that asked', async () => {
    const name = newName();
    const [token, csr] = [await tokenFor(name), csrFor(name)];
    expect((await redeem(token, csr)).status).toBe(200);
    webhook.authority.away = true;
    expect(await refusal(redeem(token, csr))).toEqual([503, 'ca_unavailable']);
    webhook.authority.away = false;
    expect(await refusal(redeem(token, csrFor(name)))).toEqual([401, 'token_invalid']);
    expect((await redeem(token, csr)).status).toBe(200);
    expect(await issuedTo(name)).toHaveLength(1);
  });

  test('a token is stored as its hash only', async () => {
    const name = newName();
    const token = await tokenFor(name);
    const rows = await database.db
      .select()
      .from(enrollmentTokens)
      .where(eq(enrollmentTokens.commonName, name));
    expect(JSON.stringify(rows)).not.toContain(token);
  });

  test.each(['', '../x', 'a b', 'x'.repeat(65)])('no token for the name %j', async (commonName) => {
    expect((await webhook.api('POST', '/api/certificates/tokens', { commonName })).status).toBe(400);
  });

  test.each([
    { profile: 'broker', commonName: 'emqx', names: ['emqx', 'DNS:localhost'] },
    { profile: 'service', commonName: 'edge', names: ['*.example.com'] },
    { profile: 'service', commonName: '-edge', names: [] },
    { profile: 'device', commonName: 'a.b', names: [] },
  ])('no token for names that the CA would refuse when it is redeemed: %o', async (body) => {
    const answer = await webhook.api('POST', '/api/certificates/tokens', body);
    expect([answer.status, answer.body.code]).toEqual([422, 'name_invalid']);
  });
});

describe('renewal over MQTT', () => {
  const request = (device: TestDevice, csr: string, slash = '', id = randomUUID()) =>
    device.send(`${slash as '/'}cert/renew/request`, { id, csr });
  const answerTo = (device: TestDevice, topic = 'cert/renew/response') =>
    until('the response', () => webhook.broker.to(device.id, topic)[0]);

  test('is acked, answered once, and repeated requests are answered by the ack alone', async () => {
    const device = await webhook.device();
    const id = randomUUID();
    const row = device.row('cert/renew/request', { id, csr: csrFor(device.id) });
    expect((await webhook.event(row)).status).toBe(204);
    const { body } = await answerTo(device);
    expect(body).toMatchObject({ request: id, chain: 'issuing' });
    expect((await webhook.event(row)).status).toBe(204);
    await until('both acks', () => webhook.broker.to(device.id, 'ack').length === 2);
    expect(await database.db.select().from(renewals).where(eq(renewals.deviceId, device.id))).toEqual([]);
    expect(webhook.broker.to(device.id, 'cert/renew/response')).toHaveLength(1);
    expect(await issuedTo(device.id)).toHaveLength(1);
  });

  test('on the topic with a slash is answered on its sibling', async () => {
    const device = await webhook.device();
    await request(device, csrFor(device.id), '/');
    expect((await answerTo(device, '/cert/renew/response')).body.certificate).toMatch(/^leaf/);
  });

  test('for somebody else’s name is refused to the device that asked', async () => {
    const device = await webhook.device();
    const victim = await webhook.device();
    await request(device, csrFor(victim.id));
    expect((await answerTo(device)).body).toMatchObject({ error: { code: 'csr_name_mismatch' } });
    expect(await issuedTo(victim.id)).toEqual([]);
    expect(webhook.broker.to(victim.id)).toEqual([]);
  });

  test('waits while the CA is away', async () => {
    const device = await webhook.device();
    webhook.authority.away = true;
    await request(device, csrFor(device.id));
    const rows = () => database.db.select().from(renewals).where(eq(renewals.deviceId, device.id));
    await until('a try', async () => (await rows())[0]!.tryAt.getTime() > Date.now() + 10_000);
    expect(webhook.broker.to(device.id, 'cert/renew/response')).toEqual([]);
    webhook.authority.away = false;
    await database.db.update(renewals).set({ tryAt: new Date() }).where(eq(renewals.deviceId, device.id));
    expect((await answerTo(device)).body.certificate).toMatch(/^leaf/);
  });

  test('the device’s certificate is the one that it connects with', async () => {
    const device = await webhook.device();
    await request(device, csrFor(device.id));
    await answerTo(device);
    const [row] = await issuedTo(device.id);
    await device.connect(Date.now(), row!.serial.toLowerCase());
    const { body } = await webhook.api('GET', `/api/devices/${device.id}`);
    expect(body.certificate).toEqual({ serial: row!.serial, notAfter: row!.notAfter.toISOString() });
    expect((await issuedTo(device.id))[0]!.firstSeenAt).not.toBeNull();
  });
});
