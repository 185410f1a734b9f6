import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { startSuite } from '../testing-suite.ts';

const { webhook } = await startSuite();

test.each(['regions', 'divisions'] as const)(
  '%s are emptied into another or none, and can then be deleted',
  async (place) => {
    const one = place === 'regions' ? 'region' : 'division';
    const add = async (name: string) =>
      (await webhook.api('POST', `/api/${place}`, { name })).body.id as string;
    const [from, to] = [await add(`from-${one}`), await add(`to-${one}`)];
    const [mover, stays] = [await webhook.device({ [one]: from }), await webhook.device({ [one]: to })];
    expect((await webhook.api('DELETE', `/api/${place}/${from}`)).body.code).toBe('in_use');
    const nowhere = await webhook.api('POST', `/api/${place}/${from}/move_devices`, { to: randomUUID() });
    expect([nowhere.status, nowhere.body.code]).toEqual([422, 'unknown_reference']);
    const moved = await webhook.api('POST', `/api/${place}/${from}/move_devices`, { to });
    expect(moved.body).toEqual({ devices: 1 });
    for (const { id } of [mover, stays]) {
      expect((await webhook.api('GET', `/api/devices/${id}`)).body[one].id).toBe(to);
    }
    expect((await webhook.api('DELETE', `/api/${place}/${from}`)).status).toBe(204);
    await webhook.api('POST', `/api/${place}/${to}/move_devices`, { to: null });
    expect((await webhook.api('GET', `/api/devices/${mover.id}`)).body[one]).toBeNull();
    const { body } = await webhook.api('GET', `/api/audit?action=${place}.move_devices`);
    expect(body.items[0].detail).toEqual({ to: null, devices: 2 });
  },
);

test('hints tell that somebody did something, once it is committed, and what to', async () => {
  const abort = new AbortController();
  const response = await fetch(`${webhook.copy.url}/api/live`, {
    headers: { authorization: 'Bearer api-token-for-tests' },
    signal: abort.signal,
  });
  let text = '';
  const reading = (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk;
  })().catch(() => {});
  await expect.poll(() => text).toContain('event: hello');
  await webhook.api('POST', '/api/regions', { name: 'told' });
  await expect.poll(() => text).toContain('{"kind":"audit","id":"regions"}');
  await webhook.event({ event: 'message', clientid: 'x', topic: 'devices/x/log', payload: '{' });
  await expect.poll(() => text).toContain('{"kind":"dead_letter","id":"new"}');
  abort.abort();
  await reading;
});
