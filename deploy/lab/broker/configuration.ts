import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCliRun } from '#emqx/cli/test-run.ts';
import { mountedTopic } from '#emqx/protocol.ts';
import { until } from '../primitives/until.ts';
import { unwrap } from '../rest.ts';
import { callEmqx } from '../system/broker.ts';
import type { Bed } from './bed.ts';

export function defineConfiguration(bed: () => Bed): void {
  describe("the broker's configuration as code", () => {
    let cli: ReturnType<typeof createCliRun>;
    beforeAll(() => {
      const { emqx, gate, internalUrl, webhookToken } = bed().stack;
      const webhook = { url: gate?.url ?? internalUrl, token: webhookToken };
      cli = createCliRun({ api: emqx, webhook, local: true });
    });
    afterAll(() => cli?.close());
    const call = async (method: string, path: string, body?: object) => {
      const answer = await callEmqx(bed().stack.emqx, method, path, body && JSON.stringify(body));
      expect(answer.ok, `${method} ${path}: ${answer.status}`).toBe(true);
      return answer.status === 204 ? null : answer.json();
    };

    it('is applied, then there is nothing to do, and every sample of the rules comes out as the files say', async () => {
      expect(await cli.run('apply')).toMatchObject({ status: 0 });
      expect((await cli.run('apply')).text).toMatch(/^Nothing to do/);
      expect(await cli.run('plan')).toMatchObject({ status: 0 });
      const tested = await cli.run('test');
      expect(tested.text).not.toContain('FAILED');
      expect(tested.status).toBe(0);
    });

    it("an operator's edits are planned, pulled into the files and kept by the next apply", async () => {
      const { id: rule, sql, actions, enable } = await call('GET', '/rules/log');
      const changed = sql.replace('SELECT', 'SELECT 7 as seven,');
      await call('PUT', `/rules/${rule}`, { sql: changed, actions, enable, description: 'What devices say' });
      const planned = await cli.run('plan');
      expect(planned.status).toBe(2);
      expect(planned.text).toMatch(/~ rule log/);
      expect((await cli.run('pull')).status).toBe(0);
      expect(cli.file('log.hocon')).toContain('7 as seven');
      expect(await cli.run('plan')).toMatchObject({ status: 0 });
      await cli.run('apply');
      expect((await call('GET', '/rules/log')).sql).toBe(changed);

      cli.freshFiles();
      expect((await cli.run('apply')).text).toBe('updated rule log');
      expect((await call('GET', '/rules/log')).sql).toBe(sql);
    });

    it('rows arrive at the webhook through what was applied', async () => {
      const { rest, register, enroll, online, idOf } = bed();
      const id = idOf('configured');
      await register(id);
      const client = await online(await enroll(id));
      const line = { id: randomUUID(), at: null, level: 'info', message: 'after the apply' };
      await client.publishAsync('log', JSON.stringify(line), { qos: 1 });
      const read = async () =>
        (await unwrap(rest.api.devices[':id'].logs.$get({ param: { id }, query: {} }))).items;
      await until(read, (items) => items.some(({ message }) => message === line.message));
    });

    it('what somebody publishes through the HTTP API in the name of a device is not taken for it', async () => {
      const { rest, register, enroll, online, idOf } = bed();
      const id = idOf('impersonated');
      await register(id);
      const line = (message: string) =>
        JSON.stringify({ id: randomUUID(), at: null, level: 'info', message });
      const forged = { topic: mountedTopic(id, 'log'), payload: line('forged'), qos: 1 };
      await call('POST', '/publish/bulk', [forged]);
      const client = await online(await enroll(id));
      await client.publishAsync('log', line('genuine'), { qos: 1 });
      const read = async () =>
        (await unwrap(rest.api.devices[':id'].logs.$get({ param: { id }, query: {} }))).items;
      const items = await until(read, (found) => found.length > 0);
      expect(items.map(({ message }) => message)).toEqual(['genuine']);
    });
  });
}
