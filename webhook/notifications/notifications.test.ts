import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sql } from 'drizzle-orm';
import { SMTPServer } from 'smtp-server';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { query } from '../db/query.ts';
import { defaultRetention, sweepOnce } from '../retention/retention.ts';
import type { Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { createCourier } from './courier.ts';
import { maxTries } from './deliver.ts';
import { tell } from './events.ts';
import type { Fact } from './kinds.ts';
import { dueAt } from './rules.ts';
import { rotate, sign, signatureHeader } from './signature.ts';
import { startReceiver } from './testing-receiver.ts';

const [, example] = /```js\n([\s\S]*?)```/.exec(readFileSync(new URL('README.md', import.meta.url), 'utf8'))!;
const { verify } = await import(`data:text/javascript,${encodeURIComponent(example!)}`);

const mails: { from: string; to: string[]; text: string }[] = [];
let refuseMail = false;
const mailServer = new SMTPServer({
  authMethods: ['PLAIN'],
  hideSTARTTLS: true,
  allowInsecureAuth: true,
  onAuth: ({ username, password }, _, done) =>
    password === 'p@ss' ? done(null, { user: username }) : done(new Error('no')),
  onRcptTo: (_, __, done) =>
    done(refuseMail ? Object.assign(new Error('nobody here'), { responseCode: 550 }) : null),
  onData(stream, { envelope }, done) {
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      text += chunk;
    });
    stream.on('end', () => {
      const from = envelope.mailFrom ? envelope.mailFrom.address : '';
      mails.push({ from, to: envelope.rcptTo.map((one) => one.address), text });
      done();
    });
  },
});
const mailPort = await listen(mailServer.server);
afterAll(() => new Promise<void>((resolve) => mailServer.close(() => resolve())));

const receiver = await startReceiver();
afterAll(() => receiver.close());
const mail = {
  url: `smtp://flota:p%40ss@127.0.0.1:${mailPort}`,
  from: 'flota@example.test',
  requireTls: false,
};
const settings = { allowedNetworks: ['127.0.0.1/32'], timeoutMs: 2_000 };
const { database, webhook } = await startSuite({ courier: createCourier({ ...settings, mail }) });
const { db } = database;

const base = '/api/notifications';
const api = async (method: string, path: string, body?: unknown): Promise<Json> => {
  const answer = await webhook.api(method, base + path, body);
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
};
const refusal = async (method: string, path: string, body?: unknown) => {
  const { status, body: problem } = await webhook.api(method, base + path, body);
  return `${status} ${problem.code}`;
};
const unique = (name: string) => `${name} ${randomUUID().slice(0, 8)}`;
const allKinds = [
  'deployment_halted',
  'deployment_completed',
  'device_silent',
  'broker_losing_rows',
  'dead_letters',
];

/** A webhook of its own path, and a rule that tells it of these kinds. */
async function subscribe(kinds = allKinds, more: object = {}) {
  const path = `/${randomUUID()}`;
  const made = await api('POST', '/channels', {
    kind: 'webhook',
    name: unique('hook'),
    url: receiver.url + path,
  });
  const channels = [made.channel.id];
  const rule = await api('POST', '/rules', { name: unique('rule'), kinds, channels, ...more });
  return { path, rule, id: made.channel.id as string, secret: made.secret as string };
}
/** As receivers do: one that was slow to answer is told again, with the same id. */
const once = (path: string) => [...new Map(receiver.on(path).map((one) => [one.body.id, one])).values()];
const told = (path: string, n = 1) => until(`${n} at ${path}`, () => once(path).length >= n && once(path));
const log = async (channelId: string): Promise<Json[]> =>
  (await api('GET', `/deliveries?channelId=${channelId}`)).items;
const logged = (id: string, state: string) =>
  until(
    () => log(id),
    (items) => items.some((one) => one.state === state),
  );
/** Without waiting for back-offs. */
const hurry = () =>
  db.execute(
    sql`update notification_deliveries set due_at = now() where state = 'waiting' and due_at < now() + interval '50 s'`,
  );
const fact = (more: Partial<Fact> = {}): Fact =>
  ({
    kind: 'broker_losing_rows',
    severity: 'critical',
    key: randomUUID(),
    regionIds: [],
    data: { losses: [{ kind: 'action', id: 'critical', why: 'dropped', count: 3 }] },
    ...more,
  }) as Fact;

beforeEach(async () => {
  receiver.received.length = 0;
  receiver.answer = (_, response) => response.end('ok');
  refuseMail = false;
  // A rule of another test would tell its channel, too.
  await db.execute(sql`delete from notification_rules`);
});

describe('a channel', () => {
  test('shows its secret once, and never what is secret in its address', async () => {
    const hook = { kind: 'webhook', name: unique('hook'), url: 'https://example.com/in?token=s3cret' };
    const slack = {
      kind: 'slack',
      name: unique('slack'),
      url: 'https://hooks.slack.com/services/T/B/s3cret',
    };
    const made = await api('POST', '/channels', hook);
    expect(made.secret).toMatch(/^flota_whsec_[\w-]{43}$/);
    expect((await api('POST', '/channels', slack)).secret).toBeNull();
    const listed = await webhook.api('GET', `${base}/channels`);
    const shown = (name: string) => listed.body.find((one: Json) => one.name === name);
    expect(shown(hook.name)).toMatchObject({ target: 'https://example.com/in?…', secrets: 1 });
    expect(shown(slack.name)).toMatchObject({ target: 'https://hooks.slack.com/…', secrets: 0 });
    const { secret } = await api('POST', `/channels/${made.channel.id}/rotate`);
    expect(secret).not.toBe(made.secret);
    const audit = await webhook.api('GET', '/api/audit?limit=100');
    const everywhere = JSON.stringify([
      listed.body,
      (await webhook.api('GET', `${base}/channels`)).body,
      audit.body,
    ]);
    for (const hidden of ['s3cret', made.secret, secret]) expect(everywhere).not.toContain(hidden);
    const acts = audit.body.items
      .filter((one: Json) => one.subject === made.channel.id)
      .map((one: Json) => one.action);
    expect(acts).toEqual(['notification_channel.rotate', 'notification_channel.create']);
  });

  test.each([
    [{ kind: 'webhook', url: 'http://169.254.169.254/latest' }, '422 address_refused'],
    [{ kind: 'webhook', url: 'https://[::1]/' }, '422 address_refused'],
    [{ kind: 'slack', url: 'http://2130706434/' }, '422 address_refused'],
    [{ kind: 'webhook', url: 'ftp://example.com/' }, '400 invalid_request'],
    [{ kind: 'webhook', url: 'https://me:pw@example.com/' }, '400 invalid_request'],
    [{ kind: 'webhook', url: 'nonsense' }, '400 invalid_request'],
    [{ kind: 'webhook', url: 'https://example.com/', secret: 'mine' }, '400 invalid_request'],
    [{ kind: 'email', recipients: [] }, '400 invalid_request'],
    [{ kind: 'email', recipients: ['a@example.com\r\nBcc: b@example.com'] }, '400 invalid_request'],
    [{ kind: 'pager', url: 'https://example.com/' }, '400 invalid_request'],
  ])('that is %o is refused', async (body, expected) => {
    expect(await refusal('POST', '/channels', { name: unique('bad'), ...body })).toBe(expected);
  });

  test('is changed by what its kind has, has its name alone, and is not deleted while a rule names it', async () => {
    const { id, path, rule } = await subscribe();
    const other = await subscribe();
    expect(await refusal('PATCH', `/channels/${id}`, { recipients: ['a@example.com'] })).toBe(
      '400 invalid_request',
    );
    expect(await refusal('PATCH', `/channels/${id}`, { url: 'http://10.0.0.1/' })).toBe(
      '422 address_refused',
    );
    expect(await refusal('PATCH', `/channels/${id}`, {})).toBe('400 invalid_request');
    const { name } = (await api('GET', '/channels')).find((one: Json) => one.id === other.id);
    expect(await refusal('PATCH', `/channels/${id}`, { name })).toBe('409 name_taken');
    expect((await api('PATCH', `/channels/${id}`, { url: `${receiver.url}/new` })).target).toMatch(/\/new$/);
    expect(await refusal('DELETE', `/channels/${id}`)).toBe('409 in_use');
    receiver.answer = (_, response) => response.writeHead(500).end();
    await db.transaction((tx) => tell(tx, [fact()]));
    await told('/new');
    await api('DELETE', `/rules/${rule.id}`);
    await api('DELETE', `/channels/${id}`);
    expect(await refusal('POST', `/channels/${id}/test`)).toBe('404 not_found');
    const dead = (await api('GET', '/deliveries?state=dead')).items.find(
      (one: Json) => one.fault === 'channel_deleted',
    );
    expect(dead).toMatchObject({ channelId: null, target: `${receiver.url}/new`, nextTryAt: null });
    expect(await refusal('POST', `/deliveries/${dead.id}/replay`)).toBe('422 not_replayable');
    expect(receiver.on(path)).toEqual([]);
  });

  test('is tested by a press, once, and says what came back', async () => {
    const { id, path } = await subscribe();
    expect(await api('POST', `/channels/${id}/test`)).toMatchObject({
      state: 'delivered',
      status: 200,
      answer: 'ok',
      kind: 'test',
    });
    expect(receiver.on(path)[0]!.body).toMatchObject({ type: 'test', text: 'This is a test' });
    receiver.answer = (_, response) => response.writeHead(403).end('go \0 away');
    expect(await api('POST', `/channels/${id}/test`)).toMatchObject({
      state: 'dead',
      tries: 1,
      status: 403,
      answer: 'go \uFFFD away',
    });
    receiver.answer = () => {};
    expect(await api('POST', `/channels/${id}/test`)).toMatchObject({
      state: 'dead',
      fault: 'timed_out',
      status: null,
    });
  });
});

describe('the words of a channel', () => {
  test('are of its language, in what is signed, in chat, in mail and in the log; and of another once it is changed', async () => {
    const bodyOf = async (id: string) => (await api('POST', `/channels/${id}/test`)).text;
    const hook = `/${randomUUID()}`;
    const chat = `/${randomUUID()}`;
    const made = async (channel: object) =>
      (await api('POST', '/channels', { name: unique('words'), ...channel })).channel;
    const signed = await made({ kind: 'webhook', url: receiver.url + hook, language: 'ko' });
    const slack = await made({ kind: 'slack', url: receiver.url + chat, language: 'ko' });
    const post = await made({ kind: 'email', recipients: ['ops@example.test'], language: 'ko' });
    expect(signed.language).toBe('ko');
    expect(await bodyOf(signed.id)).toBe('테스트 알림입니다');
    expect(receiver.on(hook)[0]!.body).toMatchObject({
      type: 'test',
      severity: 'info',
      text: '테스트 알림입니다',
    });
    await bodyOf(slack.id);
    expect(receiver.on(chat)[0]!.body.text).toMatch(/^\*정보\* 테스트 알림입니다\n/);
    mails.length = 0;
    await bodyOf(post.id);
    const printed = mails[0]!.text.replace(/=\r?\n/g, '');
    expect(decodeURIComponent(printed.replace(/=([0-9A-F]{2})/g, '%$1'))).toContain('테스트 알림입니다');
    const changed = await api('PATCH', `/channels/${signed.id}`, { language: 'en' });
    expect(changed).toMatchObject({ language: 'en', target: signed.target });
    expect(await bodyOf(signed.id)).toBe('This is a test');
    expect(await refusal('PATCH', `/channels/${signed.id}`, { language: 'fr' })).toBe('400 invalid_request');
  });
});

describe('a rule', () => {
  test.each([
    [{ kinds: [] }, '400 invalid_request'],
    [{ kinds: ['weather'] }, '400 invalid_request'],
    [{ channels: [] }, '400 invalid_request'],
    [{ channels: [randomUUID()] }, '422 unknown_reference'],
    [{ regionId: randomUUID() }, '422 unknown_reference'],
    [{ quietHours: { from: '22:00', to: '22:00', timeZone: 'UTC' } }, '400 invalid_request'],
    [{ quietHours: { from: '24:00', to: '06:00', timeZone: 'UTC' } }, '400 invalid_request'],
    [{ quietHours: { from: '22:00', to: '06:00', timeZone: 'Mars/Olympus' } }, '400 invalid_request'],
    [{ everything: true }, '400 invalid_request'],
  ])('with %o is refused', async (wrong, expected) => {
    const { id } = await subscribe();
    const body = { name: unique('bad'), kinds: ['dead_letters'], channels: [id], ...wrong };
    expect(await refusal('POST', '/rules', body)).toBe(expected);
  });

  test('keeps what a change leaves out, and its region cannot be deleted', async () => {
    const region = (await webhook.api('POST', '/api/regions', { name: unique('region') })).body;
    const { rule } = await subscribe(['dead_letters'], { regionId: region.id, minSeverity: 'warning' });
    const changed = await api('PATCH', `/rules/${rule.id}`, { enabled: false });
    expect(changed).toEqual({ ...rule, enabled: false, revision: rule.revision + 1 });
    const deleted = await webhook.api('DELETE', `/api/regions/${region.id}`);
    expect([deleted.status, deleted.body.code]).toEqual([409, 'in_use']);
    await api('DELETE', `/rules/${rule.id}`);
    expect(await refusal('DELETE', `/rules/${rule.id}`)).toBe('404 not_found');
    expect((await webhook.api('DELETE', `/api/regions/${region.id}`)).status).toBe(204);
  });

  test('is only for admins, as is all of it', async () => {
    const token = (await webhook.api('POST', '/api/tokens', { name: unique('op'), role: 'operator' })).body
      .secret;
    const as = { authorization: `Bearer ${token}` };
    for (const path of ['channels', 'rules', 'deliveries'])
      expect((await webhook.api('GET', `${base}/${path}`, undefined, as)).status, path).toBe(403);
  });

  test('tells by kind, severity and region, and one channel once', async () => {
    const region = async () =>
      (await webhook.api('POST', '/api/regions', { name: unique('region') })).body.id;
    const [north, south] = [await region(), await region()];
    const all = await subscribe();
    await api('POST', '/rules', { name: unique('again'), kinds: allKinds, channels: [all.id] });
    const inNorth = await subscribe(allKinds, { regionId: north });
    const inSouth = await subscribe(allKinds, { regionId: south });
    const grave = await subscribe(allKinds, { minSeverity: 'critical' });
    const off = await subscribe(allKinds, { enabled: false });
    const deaths = await subscribe(['dead_letters']);
    const silent = { hours: 24, devices: 1, first: ['d-1'] };
    await db.transaction((tx) =>
      tell(tx, [
        fact({ kind: 'device_silent', severity: 'warning', regionIds: [north], data: silent } as never),
        fact(),
      ]),
    );
    await Promise.all([told(all.path, 2), told(inNorth.path), told(grave.path)]);
    await until('nothing waits', async () => (await api('GET', '/deliveries?state=waiting')).total === 0);
    const kindsAt = (path: string) =>
      once(path)
        .map((one) => one.body.type)
        .sort();
    expect(kindsAt(all.path)).toEqual(['broker_losing_rows', 'device_silent']);
    expect(kindsAt(inNorth.path)).toEqual(['device_silent']);
    expect(kindsAt(grave.path)).toEqual(['broker_losing_rows']);
    expect([inSouth, off, deaths].map(({ path }) => kindsAt(path))).toEqual([[], [], []]);
  });

  test('puts off until its quiet hours end, by their clock; but not what is critical', async () => {
    const at = (ms: number) => new Date(Date.now() + ms).toISOString().slice(11, 16);
    const quietHours = { from: at(-3_600_000), to: at(3_600_000), timeZone: 'UTC' };
    const { id, path } = await subscribe(allKinds, { quietHours });
    const letters = fact({
      kind: 'dead_letters',
      severity: 'warning',
      data: { code: 'x', device: null },
    } as never);
    await db.transaction((tx) => tell(tx, [fact(), letters]));
    await told(path);
    // What the system itself has noted meanwhile waits as well.
    const waiting = (await logged(id, 'waiting')).find((one: Json) => one.kind === 'dead_letters');
    expect(waiting.state).toBe('waiting');
    expect(new Date(waiting.nextTryAt).toISOString().slice(11, 16)).toBe(quietHours.to);
    const night = { quietHours: { from: '22:00', to: '06:30', timeZone: 'Asia/Seoul' } };
    const when = (time: string) =>
      new Date(dueAt(night, 'info', Date.parse(`2026-07-01T${time}+09:00`))).toISOString();
    expect(when('23:15')).toBe('2026-07-01T21:30:00.000Z');
    expect(when('06:29')).toBe('2026-06-30T21:30:00.000Z');
    expect(when('06:30')).toBe('2026-06-30T21:30:00.000Z');
    expect(when('12:00')).toBe('2026-07-01T03:00:00.000Z');
  });
});

describe('a delivery', () => {
  test('is signed as the README says; with both secrets after a rotation', async () => {
    const { id, path, secret } = await subscribe();
    await db.transaction((tx) => tell(tx, [fact()]));
    const [first] = await told(path);
    const header = String(first!.headers[signatureHeader.toLowerCase()]);
    expect(verify(header, first!.text, secret)).toBe(true);
    expect(verify(header, `${first!.text} `, secret)).toBe(false);
    expect(verify(header, first!.text, `${secret}x`)).toBe(false);
    expect(verify(header, first!.text, secret, Date.now() + 6 * 60_000)).toBe(false);
    expect(verify('', first!.text, secret)).toBe(false);
    const { secret: next } = await api('POST', `/channels/${id}/rotate`);
    await api('POST', `/channels/${id}/test`);
    const second = receiver.on(path).at(-1)!;
    const both = String(second.headers[signatureHeader.toLowerCase()]);
    expect([secret, next].map((one) => verify(both, second.text, one))).toEqual([true, true]);
    const { secret: third } = await api('POST', `/channels/${id}/rotate`);
    await api('POST', `/channels/${id}/test`);
    const last = receiver.on(path).at(-1)!;
    const newest = String(last.headers[signatureHeader.toLowerCase()]);
    expect([secret, next, third].map((one) => verify(newest, last.text, one))).toEqual([false, true, true]);
  });

  test('is signed with the old secret for a day', () => {
    const now = Date.UTC(2026, 0, 1);
    const secrets = rotate([{ secret: 'old', validUntil: null }], now);
    const later = now + 25 * 3_600_000;
    expect(verify(sign(secrets, 'body', now), 'body', 'old', now)).toBe(true);
    expect(verify(sign(secrets, 'body', later), 'body', 'old', later)).toBe(false);
    expect(verify(sign(secrets, 'body', later), 'body', secrets[0]!.secret, later)).toBe(true);
  });

  test('that is answered 500 and then 200 comes twice with one id, and the log says so', async () => {
    const { id, path } = await subscribe();
    receiver.answer = (_, response) => response.writeHead(receiver.received.length > 1 ? 200 : 500).end('so');
    await db.transaction((tx) => tell(tx, [fact()]));
    await told(path);
    const [failed] = await until(
      () => log(id),
      ([one]) => one.status === 500,
    );
    expect(failed).toMatchObject({ state: 'waiting', tries: 1, fault: 'refused', answer: 'so' });
    const waitMs = Date.parse(failed.nextTryAt) - Date.parse(failed.triedAt);
    expect(waitMs).toBe(2_000);
    await hurry();
    await until('the second try', () => receiver.on(path).length >= 2);
    const [done] = await logged(id, 'delivered');
    expect(done).toMatchObject({ tries: 2, status: 200, fault: null, nextTryAt: null });
    expect(new Set(receiver.on(path).map((one) => one.body.id))).toEqual(new Set([done.event]));
  });

  test('that nobody takes is dead after its tries, and is sent again by hand with the same id', async () => {
    const { id, path } = await subscribe();
    receiver.answer = (_, response) =>
      response.writeHead(307, { location: `${receiver.url}/elsewhere` }).end();
    await db.transaction((tx) => tell(tx, [fact()]));
    await until(
      () => log(id),
      ([one]) => one?.fault === 'redirected',
    );
    await db.execute(
      sql`update notification_deliveries set tries = ${maxTries - 1}, due_at = now() where channel_id = ${id}`,
    );
    const [dead] = await logged(id, 'dead');
    expect(dead).toMatchObject({ tries: maxTries, status: 307, nextTryAt: null });
    expect(receiver.on('/elsewhere')).toEqual([]);
    const metrics = await (await fetch(`http://127.0.0.1:${webhook.copy.internalPort}/metrics`)).text();
    expect(metrics).toMatch(/flota_notifications\{state="dead"\} [1-9]/);
    expect(metrics).toMatch(/flota_notifications_total\{channel="webhook",outcome="dead"\} [1-9]/);
    receiver.answer = (_, response) => response.end('at last');
    expect(await api('POST', `/deliveries/${dead.id}/replay`)).toMatchObject({ state: 'waiting', tries: 0 });
    const [done] = await logged(id, 'delivered');
    expect(done).toMatchObject({ id: dead.id, event: dead.event, tries: 1, answer: 'at last' });
    expect(new Set(receiver.on(path).map((one) => one.body.id)).size).toBe(1);
    const [entry] = (await webhook.api('GET', '/api/audit?action=notification.replay')).body.items;
    expect(entry.subject).toBe(String(dead.id));
    expect(await api('GET', `/deliveries/${dead.id}`)).toEqual(done);
  });

  test('to one that hangs keeps nobody else waiting, nor the updates', async () => {
    const hung = await subscribe();
    const quick = await subscribe();
    receiver.answer = (request, response) => request.url !== hung.path && response.end();
    await db.transaction((tx) =>
      tell(
        tx,
        Array.from({ length: 12 }, () => fact()),
      ),
    );
    await told(quick.path, 12);
    const [one] = await until(
      () => log(hung.id),
      (items) => items.some((each) => each.fault === 'timed_out'),
    );
    expect(one.state).toBe('waiting');
    expect((await log(hung.id)).filter((each) => each.tries > 0).length).toBeGreaterThan(0);
  });

  test('to an address that has become one inside is dead at once, and nothing was sent', async () => {
    const { id } = await subscribe();
    await db.execute(sql`update notification_channels set url = 'http://127.0.0.2:9/' where id = ${id}`);
    await db.transaction((tx) => tell(tx, [fact()]));
    const [dead] = await logged(id, 'dead');
    expect(dead).toMatchObject({ tries: 1, fault: 'address_refused', status: null });
  });

  test('goes to Slack as text that cannot call anybody', async () => {
    const path = `/${randomUUID()}`;
    const { channel } = await api('POST', '/channels', {
      kind: 'slack',
      name: unique('slack'),
      url: receiver.url + path,
    });
    await api('POST', '/rules', { name: unique('rule'), kinds: allKinds, channels: [channel.id] });
    const losses = [{ kind: 'action', id: '<!channel> & co', why: 'dropped', count: 1 }];
    await db.transaction((tx) => tell(tx, [fact({ data: { losses } } as never)]));
    const [one] = await told(path);
    expect(one!.body.text).toContain(
      '*critical* The broker has lost rows: action &lt;!channel&gt; &amp; co: 1 dropped\n<http',
    );
    expect(one!.headers[signatureHeader.toLowerCase()]).toBeUndefined();
  });

  test('goes by e-mail, with one Message-ID for one event, whatever is in its names', async () => {
    const recipients = ['ops@example.test', 'ana@example.test'];
    const { channel } = await api('POST', '/channels', { kind: 'email', name: unique('mail'), recipients });
    await api('POST', '/rules', { name: unique('rule'), kinds: allKinds, channels: [channel.id] });
    const losses = [{ kind: 'rule', id: 'x\r\nBcc: evil@example.test\r\n\r\nbody', why: 'failed', count: 1 }];
    await db.transaction((tx) => tell(tx, [fact({ data: { losses } } as never)]));
    const [done] = await logged(channel.id, 'delivered');
    expect(done).toMatchObject({ status: 250, target: recipients.join(', ') });
    const sent = mails.at(-1)!;
    expect([sent.from, sent.to]).toEqual([mail.from, recipients]);
    const [head] = sent.text.split('\r\n\r\n');
    expect(head).toMatch(/^Subject: \[Flota\] critical: The broker has lost rows/m);
    expect(head).not.toMatch(/^Bcc/im);
    expect(head).toContain(`Message-ID:\r\n <${done.event}.${channel.id}@flota>`);
    refuseMail = true;
    expect(await api('POST', `/channels/${channel.id}/test`)).toMatchObject({
      state: 'dead',
      fault: 'mail_refused',
      status: 550,
    });
  });

  test('is a fact told once: its key again is not news, and what is rolled back was never there', async () => {
    const { path } = await subscribe();
    const one = fact();
    await Promise.allSettled([
      db.transaction((tx) => tell(tx, [one])),
      db.transaction(async (tx) => {
        await tell(tx, [fact()]);
        throw new Error('the fact did not come true');
      }),
    ]);
    await db.transaction((tx) => tell(tx, [one, fact()]));
    await told(path, 2);
    const rows = await query<{ n: number }>(
      db,
      sql`select count(*)::int as n from notification_events where ruled_at is null`,
    );
    expect([rows[0]!.n, once(path).length]).toEqual([0, 2]);
  });

  test('and its event go by their age', async () => {
    const { id } = await subscribe();
    await db.transaction((tx) => tell(tx, [fact()]));
    const [one] = await logged(id, 'delivered');
    await db.execute(
      sql`update notification_events set at = now() - interval '91 days' where id = ${one.event}`,
    );
    while ((await sweepOnce(db, defaultRetention)) > 0);
    expect(await log(id)).toEqual([]);
  });
});
