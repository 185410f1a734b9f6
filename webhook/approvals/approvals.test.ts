import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import type { Answer, Json, TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const { database, webhook } = await startSuite();
const { api } = webhook;

type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>;
const as =
  (headers: Record<string, string>): Ask =>
  (method, path, body) =>
    api(method, path, body, headers);
let author: Ask;
let second: Ask;
const password = 'a long passphrase';

async function logIn(email: string, more: object = {}): Promise<Ask> {
  await api('POST', '/api/users', { email, password, role: 'operator', ...more });
  const { headers } = await api('POST', '/api/login', { email, password }, {});
  return as({ cookie: headers.get('set-cookie')!.split(';')[0]! });
}

const setRules = async (...rules: { hardware: string | null; aboveDevices: number }[]) =>
  expect((await api('PUT', '/api/approval_rules', { rules })).body).toEqual(rules);
const devicesOf = (n: number) => Promise.all(Array.from({ length: n }, () => webhook.device()));
async function ask(devices: TestDevice[], by = author, more: object = {}): Promise<Json> {
  const firmware = await webhook.firmware();
  const body = { firmwareId: firmware.id, devices: devices.map(({ id }) => id), ...more };
  const made = await by('POST', '/api/deployments', body);
  expect(made.status).toBe(201);
  return made.body;
}
const look = async (id: string): Promise<Json> => (await api('GET', `/api/deployments/${id}`)).body;
const propose = async (id: string): Promise<Json> =>
  (await second('GET', `/api/deployments/${id}/approval`)).body;
const approve = async (id: string, by = second, digest?: string) =>
  by('POST', `/api/deployments/${id}/approve`, {
    digest: digest ?? (await propose(id)).digest,
    reason: 'Tested in the lab',
  });
const refuse = (id: string, by = second) =>
  by('POST', `/api/deployments/${id}/refuse`, { reason: 'Not before the weekend' });
const overrideFreeze = (id: string, by: Ask) =>
  by('POST', `/api/deployments/${id}/override_freeze`, { reason: 'It cannot wait' });
const codeOf = async (answer: Promise<Answer>) => (await answer).body.code;

beforeAll(async () => {
  author = await logIn('author@example.com');
  second = await logIn('second@example.com');
});
beforeEach(() => setRules({ hardware: null, aboveDevices: 1 }));

describe('what waits', () => {
  test('is more than a rule allows, of any hardware or of one, and the dry run says so', async () => {
    const [one, two] = [await devicesOf(1), await devicesOf(2)];
    expect(await ask(one)).toMatchObject({ state: 'running', approval: null });
    const rule = { hardware: null, aboveDevices: 1 };
    expect(await ask(two)).toMatchObject({
      state: 'waiting_for_approval',
      approval: { rule, decision: null },
    });
    await setRules({ hardware: 'other', aboveDevices: 0 });
    expect((await ask(two)).approval).toBeNull();
    await setRules({ hardware: 'esp32-s3', aboveDevices: 0 });
    expect((await ask(one)).state).toBe('waiting_for_approval');
    const { id: firmwareId } = await webhook.firmware();
    const dry = await author('POST', '/api/deployments/dry_run', { firmwareId, devices: [one[0]!.id] });
    expect(dry.body.approval).toEqual({ hardware: 'esp32-s3', aboveDevices: 0 });
  });

  test('is also what adds up to more, of one image, each device once; what was approved is not counted again', async () => {
    const [a, b, c] = await devicesOf(3);
    const content = 'one image in small portions';
    const [image, again] = [await webhook.firmware({ content }), await webhook.firmware({ content })];
    const portion = async (device: TestDevice, { id: firmwareId }: Json = image) => {
      const body = { firmwareId, devices: [device.id] };
      const dry = await author('POST', '/api/deployments/dry_run', body);
      const made = (await author('POST', '/api/deployments', body)).body;
      expect(dry.body.approval).toEqual(made.approval?.rule ?? null);
      return made;
    };
    const first = await portion(a!);
    expect(first.state).toBe('running');
    // The same device again, and another image, are no more.
    expect((await portion(a!)).state).toBe('running');
    expect((await ask([b!])).state).toBe('running');
    const second = await portion(b!);
    expect(second).toMatchObject({ state: 'waiting_for_approval', approval: { rule: { aboveDevices: 1 } } });
    // Registered again under another version it is the same image.
    expect((await portion(c!, again)).state).toBe('waiting_for_approval');
    expect((await approve(second.id)).body.state).toBe('running');
    // What nobody has got, and nobody will, and what is long ago, is no more than nothing.
    const { items } = (await api('GET', '/api/deployments?limit=20')).body;
    const open = items.filter((d: Json) => d.firmware.id === image.id && d.approval === null);
    await author('POST', `/api/deployments/${open[0].id}/cancel`);
    await database.db.execute(
      sql`update deployments set created_at = created_at - interval '31 days' where id = ${open[1].id}`,
    );
    expect(open).toHaveLength(2);
    expect((await portion(c!)).state).toBe('running');
    expect((await portion(a!)).state).toBe('waiting_for_approval');
  });

  test('of two who ask for a portion each at once, one waits', async () => {
    const [a, b] = await devicesOf(2);
    const { id: firmwareId } = await webhook.firmware();
    const both = [a!, b!].map(({ id }) => author('POST', '/api/deployments', { firmwareId, devices: [id] }));
    const states = (await Promise.all(both)).map(({ body }) => body.state);
    expect(states.sort()).toEqual(['running', 'waiting_for_approval']);
  });

  test('is one whose devices are not yet known, however few they are now', async () => {
    const one = await devicesOf(1);
    const startAt = new Date(Date.now() + 3_600_000).toISOString();
    for (const more of [{ startAt }, { policy: { lateJoinersMs: 60_000 } }])
      expect((await ask(one, author, more)).state).toBe('waiting_for_approval');
  });

  test('sends nothing, and takes no other word than its end', async () => {
    const devices = await devicesOf(2);
    for (const device of devices) await device.connect().then(() => device.subscribe());
    const { id } = await ask(devices);
    for (const event of ['pause', 'resume', 'retry_failed'])
      expect(await codeOf(author('POST', `/api/deployments/${id}/${event}`))).toBe('waiting_for_approval');
    expect(await codeOf(overrideFreeze(id, second))).toBe('waiting_for_approval');
    const later = await ask([devices[0]!]);
    await until('another to be sent', () => devices[0]!.requests().length > 0);
    expect(devices.map((device) => device.requests().map(({ body }) => body.deployment))).toEqual([
      [later.id],
      [],
    ]);
    expect((await author('POST', `/api/deployments/${id}/cancel`)).body.state).toBe('cancelled');
    expect(await codeOf(approve(id, second, 'a'.repeat(64)))).toBe('not_waiting');
  });

  test('is not an undo: what goes wrong is taken back at once', async () => {
    await setRules();
    const device = await webhook.device();
    await device.connect();
    await device.subscribe();
    const boot = (sha256: string, seq: number) =>
      device.send('status/health', {
        ...{ seq: [seq, 0], state: 'ok', boot: { count: seq, reason: 'power_on' } },
        running: [{ ...device.running(sha256), undo: true }],
      });
    const bring = async (seq: number): Promise<string> => {
      const { id: firmwareId, sha256 } = await webhook.firmware();
      const { id } = await webhook.deploy(firmwareId, device);
      await until('its request', () => device.requests().some(({ body }) => body.deployment === id));
      await device.accept(id);
      await boot(sha256, seq);
      await until('its success', async () => (await look(id)).counts.succeeded === 1);
      return id;
    };
    await bring(1);
    const id = await bring(2);
    await setRules({ hardware: null, aboveDevices: 0 });
    const { body } = await author('POST', `/api/deployments/${id}/undo`, {});
    expect(body.undo).toMatchObject({ state: 'running', approval: null });
  });
});

describe('the second person', () => {
  test('sees what waits and what it would do now, and lets it begin; the audit log has author, digest and reason', async () => {
    const devices = await devicesOf(2);
    const { id } = await ask(devices);
    const waiting = async (who: Ask) => (await who('GET', '/api/approvals')).body.map((one: Json) => one.id);
    expect(await waiting(second)).toContain(id);
    expect(await waiting(author)).not.toContain(id);
    expect((await api('GET', '/api/approvals')).body).toEqual([]);
    const { digest, dryRun } = await propose(id);
    expect(dryRun).toMatchObject({ targets: 2, waves: [{ total: 2 }] });
    const { status, body } = await approve(id);
    expect([status, body.state, body.total]).toEqual([202, 'running', 2]);
    const decision = { outcome: 'approved', by: 'second@example.com', reason: 'Tested in the lab', digest };
    expect(body.approval.decision).toMatchObject(decision);
    const { items } = (await api('GET', `/api/audit?subject=${id}`)).body;
    expect(items.map(({ action, actor }: Json) => [action, actor])).toEqual([
      ['deployment.approve', 'second@example.com'],
      ['deployment.start', 'author@example.com'],
    ]);
    expect(items[0].detail).toMatchObject({ digest, author: 'author@example.com', targets: 2 });
    expect(items[1].detail.waitsForApproval).toEqual({ hardware: null, aboveDevices: 1 });
    expect(await codeOf(approve(id, second, digest))).toBe('not_waiting');
  });

  test('is never the author, nor who made the token that asked, nor a token', async () => {
    const devices = await devicesOf(2);
    const { id } = await ask(devices);
    const { digest } = await propose(id);
    const admin = await logIn('maker@example.com', { role: 'admin' });
    const { secret } = (await admin('POST', '/api/tokens', { name: 'ci', role: 'admin' })).body;
    const token = as({ authorization: `Bearer ${secret}` });
    for (const act of [(who: Ask) => approve(id, who, digest), (who: Ask) => refuse(id, who)]) {
      expect(await codeOf(act(author))).toBe('approval_by_author');
      expect(await codeOf(act(token))).toBe('approval_by_token');
      expect(await codeOf(act(api))).toBe('approval_by_token');
    }
    const viewer = await logIn('viewer@example.com', { role: 'viewer' });
    expect(await codeOf(approve(id, viewer, digest))).toBe('forbidden');
    const theirs = await ask(devices, token);
    expect(theirs.createdBy).toBe('token ci');
    expect(await codeOf(approve(theirs.id, admin))).toBe('approval_by_author');
    expect((await approve(theirs.id)).status).toBe(202);
    expect((await look(id)).state).toBe('waiting_for_approval');
  });

  test('also says whether freezes are heeded after all, which was approved otherwise', async () => {
    const { id } = await ask(await devicesOf(2));
    await approve(id);
    expect(await codeOf(overrideFreeze(id, author))).toBe('approval_by_author');
    expect(await codeOf(overrideFreeze(id, api))).toBe('approval_by_token');
    expect((await look(id)).freezeOverride).toBeNull();
    expect((await overrideFreeze(id, second)).body.freezeOverride).toBe('It cannot wait');
    // One that took nobody else's word is its author's.
    const { id: own } = await ask(await devicesOf(1));
    expect((await overrideFreeze(own, author)).status).toBe(202);
  });

  test('is told what has changed, and approves that or nothing', async () => {
    const [first, ...others] = await devicesOf(3);
    const { id } = await ask([first!, ...others]);
    const seen = await propose(id);
    // What goes on all the time changes nothing.
    await first!.connect();
    await first!.subscribe();
    expect((await propose(id)).digest).toBe(seen.digest);
    await api('PATCH', `/api/devices/${first!.id}`, { hardware: 'other' });
    const late = await approve(id, second, seen.digest);
    expect([late.status, late.body.code]).toEqual([409, 'dry_run_changed']);
    const { proposal } = late.body;
    expect(proposal.dryRun).toMatchObject({ targets: 2, excludedCounts: { other_hardware: 1 } });
    expect((await look(id)).state).toBe('waiting_for_approval');
    expect((await approve(id, second, proposal.digest)).body).toMatchObject({ state: 'running', total: 2 });
  });

  test('lets nobody in who comes to match while the word is taken', async () => {
    const tag = `race-${randomUUID().slice(0, 8)}`;
    const [one, two, late] = await devicesOf(3);
    for (const device of [one, two]) await api('PATCH', `/api/devices/${device!.id}`, { tags: [tag] });
    const { id } = await ask([], author, { query: `tag = ${tag}` });
    // Between what the word is held against and who is chosen.
    await database.db.execute(
      sql.raw(`create function late_tag() returns trigger language plpgsql as
        $$ begin update devices set tags = array['${tag}'] where id = '${late!.id}'; return new; end $$`),
    );
    await database.db.execute(
      sql.raw(`create trigger late_tag before update on deployments for each row
        when (old.state = 'waiting_for_approval' and new.state = 'scheduled') execute function late_tag()`),
    );
    const answer = await approve(id);
    await database.db.execute(sql.raw('drop function late_tag() cascade'));
    expect([answer.status, answer.body.code]).toEqual([409, 'dry_run_changed']);
    expect(await look(id)).toMatchObject({ state: 'waiting_for_approval', approval: { decision: null } });
    expect((await approve(id)).body.state).toBe('running');
    expect((await look(id)).waves[0].total).toBe(2);
  });

  test('refuses with a reason, and that is its end', async () => {
    const { id } = await ask(await devicesOf(2));
    expect(await codeOf(second('POST', `/api/deployments/${id}/refuse`, { reason: ' ' }))).toBe(
      'invalid_request',
    );
    const { body } = await refuse(id);
    expect(body).toMatchObject({ state: 'cancelled', total: 0 });
    expect(body.approval.decision).toMatchObject({ outcome: 'refused', reason: 'Not before the weekend' });
    expect(await codeOf(refuse(id))).toBe('not_waiting');
    const [entry] = (await api('GET', `/api/audit?subject=${id}&action=deployment.refuse`)).body.items;
    expect(entry).toMatchObject({
      actor: 'second@example.com',
      detail: { reason: 'Not before the weekend' },
    });
  });

  test('of two who decide at once, one does', async () => {
    const { id } = await ask(await devicesOf(2));
    const third = await logIn('third@example.com');
    const { digest } = await propose(id);
    const done = await Promise.all([approve(id, second, digest), refuse(id, third)]);
    expect(done.map(({ status }) => status).sort()).toEqual([202, 409]);
  });

  test('reaches all that it is for, or finds nothing', async () => {
    const { id: region } = (await api('POST', '/api/regions', { name: 'Near' })).body;
    const reach = { regions: [region], divisions: [] };
    const near = await logIn('near@example.com', { reach });
    const another = await logIn('another@example.com', { reach });
    const devices = await Promise.all([webhook.device({ region }), webhook.device({ region })]);
    const { id } = await ask(devices);
    expect(await codeOf(approve(id, near, 'a'.repeat(64)))).toBe('not_found');
    const theirs = await ask([...devices, await webhook.device()], another);
    expect((await near('GET', '/api/approvals')).body.map((one: Json) => one.id)).toEqual([theirs.id]);
    expect((await approve(theirs.id, near)).body).toMatchObject({ state: 'running', total: 2 });
  });
});

test('one that is approved before its time starts at its time, and one that is approved late at once', async () => {
  const devices = await devicesOf(2);
  const inAnHour = new Date(Date.now() + 3_600_000).toISOString();
  const early = await ask(devices, author, { startAt: inAnHour });
  expect((await approve(early.id)).body).toMatchObject({ state: 'scheduled', startAt: inAnHour });
  const late = await ask(devices, author, { startAt: new Date(Date.now() - 60_000).toISOString() });
  expect((await approve(late.id)).body.state).toBe('running');
});

test('somebody else is told that it waits', async () => {
  const channel = { kind: 'webhook', name: 'hook', url: 'http://127.0.0.1:9/' };
  const { channel: made } = (await api('POST', '/api/notifications/channels', channel)).body;
  await api('POST', '/api/notifications/rules', {
    ...{ name: 'waiting', kinds: ['deployment_waiting'], channels: [made.id] },
  });
  const { id } = await ask(await devicesOf(2));
  // Those that waited before the rule was made may be told of, too.
  const told = await until('its delivery', async () => {
    const { items } = (await api('GET', '/api/notifications/deliveries')).body;
    return items.find(({ data }: Json) => data.deployment === id);
  });
  expect(told).toMatchObject({ kind: 'deployment_waiting', severity: 'warning', data: { devices: 2 } });
  expect(told.text).toContain('by author@example.com waits');
});

test('rules name a hardware once, are an admin’s of the whole fleet, and leave a trace', async () => {
  const put = (rules: unknown, who: Ask = api) => who('PUT', '/api/approval_rules', { rules });
  const rule = { hardware: 'esp32-s3', aboveDevices: 3 };
  expect(await codeOf(put([rule, rule]))).toBe('invalid_request');
  expect(await codeOf(put([{ hardware: null, aboveDevices: -1 }]))).toBe('invalid_request');
  expect(await codeOf(put([rule], second))).toBe('forbidden');
  await setRules(rule);
  const [entry] = (await api('GET', '/api/audit?action=approval_rules.change')).body.items;
  expect(entry.detail).toMatchObject({ before: [{ hardware: null, aboveDevices: 1 }], after: [rule] });
  expect((await second('GET', '/api/approval_rules')).body).toEqual([rule]);
});
