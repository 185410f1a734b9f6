import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { createDevice, type Json } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';

const { webhook } = await startSuite();

const letters = async (clientId: string): Promise<Json[]> =>
  (await webhook.api('GET', `/api/dead_letters?clientId=${clientId}`)).body.items;
const replay = (id: number) => webhook.api('POST', `/api/dead_letters/${id}/replay`);

test('dead letters are listed newest first, filtered and paged, and shown one by one with the row as it came', async () => {
  const stranger = createDevice(webhook, `stranger-${randomUUID().slice(0, 8)}`);
  const row = stranger.row('data/sensors', { values: { t: 1 } });
  await webhook.event(row);
  await stranger.send('status/system', { uptimeMs: 'long' });
  const [second, first] = await letters(stranger.id);
  expect(first).toMatchObject({ code: 'device_unknown', clientId: stranger.id });
  expect(second.code).toBe('payload_invalid');
  const { body } = await webhook.api('GET', `/api/dead_letters/${first.id}`);
  expect(body).toEqual({ ...first, body: JSON.stringify(row) });
  const page = (await webhook.api('GET', `/api/dead_letters?clientId=${stranger.id}&limit=1&offset=1`)).body;
  expect(page).toEqual({ items: [first], total: 2, next: null, dropped: { letters: 0, bytes: 0 } });
  const byCode = (await webhook.api('GET', `/api/dead_letters?code=device_unknown&clientId=${stranger.id}`))
    .body;
  expect(byCode.total).toBe(1);
  expect((await webhook.api('GET', '/api/dead_letters/999999999')).status).toBe(404);
});

test('a replay is handled once its cause is gone, and acknowledged like any other message', async () => {
  const id = `late-${randomUUID().slice(0, 8)}`;
  const device = createDevice(webhook, id);
  const boot = {
    seq: [1, 1],
    state: 'ok',
    running: [device.running('a'.repeat(64))],
    boot: { count: 1, reason: 'power_on' },
  };
  expect((await device.send('status/health', boot)).status).toBe(202);
  const [letter] = await letters(id);
  const again = await replay(letter.id);
  expect([again.status, again.body]).toEqual([
    200,
    { outcome: 'refused', code: 'device_unknown', detail: 'no such device is registered' },
  ]);
  const [renewed, ...others] = await letters(id);
  expect(others).toEqual([]);
  expect(renewed.id).not.toBe(letter.id);
  await webhook.api('POST', '/api/devices', { id, hardware: 'esp32-s3' });
  expect((await replay(renewed.id)).body).toEqual({ outcome: 'handled', code: null, detail: null });
  expect(await letters(id)).toEqual([]);
  expect((await webhook.api('GET', `/api/devices/${id}`)).body.running[0].sha256).toBe('a'.repeat(64));
  expect(webhook.broker.to(id, 'ack')).toHaveLength(1);
  const entries = (await webhook.api('GET', '/api/audit?action=dead_letter.replay')).body.items;
  expect(entries.map((e: Json) => e.detail.outcome).slice(0, 2)).toEqual(['handled', 'device_unknown']);
});

test('two who replay the same letter at once have it counted once', async () => {
  const id = `twice-${randomUUID().slice(0, 8)}`;
  const device = createDevice(webhook, id);
  await device.send('log', { level: 'info', message: 'only once' });
  const [letter] = await letters(id);
  await webhook.api('POST', '/api/devices', { id, hardware: 'esp32-s3' });
  const answers = await Promise.all([replay(letter.id), replay(letter.id)]);
  expect(answers.map(({ status }) => status).sort()).toEqual([200, 404]);
  const { items } = (await webhook.api('GET', `/api/devices/${id}/logs`)).body;
  expect(items).toHaveLength(1);
  const entries = (await webhook.api('GET', `/api/audit?action=dead_letter.replay`)).body.items;
  expect(entries.filter((e: Json) => e.subject === String(letter.id))).toHaveLength(1);
});

test('a message of the largest size is kept whole and can be replayed', async () => {
  const id = `large-${randomUUID().slice(0, 8)}`;
  const device = createDevice(webhook, id);
  await device.send('log', { level: 'info', message: '"\\é'.repeat(1300) });
  const [letter] = await letters(id);
  await webhook.api('POST', '/api/devices', { id, hardware: 'esp32-s3' });
  expect((await replay(letter.id)).body.outcome).toBe('handled');
});

test('what was never an event can only be read and deleted', async () => {
  const body = `not JSON ${randomUUID()}`;
  await webhook.event(body);
  const { items } = (await webhook.api('GET', '/api/dead_letters?code=event_malformed')).body;
  const letter = items[0];
  const answer = await replay(letter.id);
  expect([answer.status, answer.body.code]).toEqual([422, 'not_replayable']);
  expect((await webhook.api('DELETE', `/api/dead_letters/${letter.id}`)).status).toBe(204);
  expect((await webhook.api('DELETE', `/api/dead_letters/${letter.id}`)).status).toBe(404);
  expect((await replay(letter.id)).status).toBe(404);
});
