import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { mountedTopic } from '#emqx/protocol.ts';
import { until } from '../primitives/until.ts';
import { unwrap } from '../rest.ts';
import type { Bed } from './bed.ts';

export function defineMessages(bed: () => Bed): void {
  const isAway = async (id: string) => {
    for await (const found of bed().broker.listClients({ ids: [id] }))
      if (found.some(({ connected }) => connected)) return false;
    return true;
  };

  describe('messages', () => {
    it('a command to a device that is away reaches it when it is back, once', async () => {
      const { rest, start, idOf } = bed();
      const id = idOf('away');
      const fleet = await start(1, { ids: [id], timing: { reconnectMinMs: 50 } });
      const of = { param: { id } };
      const device = () => unwrap(rest.api.devices[':id'].$get(of));
      await until(device, ({ online }) => online);
      await fleet.switchOff(id);
      await until(device, ({ online }) => !online);
      await unwrap(rest.api.devices[':id'].commands.$post({ ...of, json: { command: 'identify' } }));
      fleet.switchOn(id);
      let times = 0;
      fleet.devices[0]!.on('identify', () => times++);
      const commands = async () =>
        (await unwrap(rest.api.devices[':id'].commands.$get({ ...of, query: {} }))).items;
      const [answered] = await until(commands, ([command]) => command?.ok === true);
      expect(answered).toMatchObject({ command: 'identify', error: null });
      await until(
        () => fleet.devices[0]!.snapshot().outboxMessages,
        (waiting) => waiting === 0,
      );
      expect(times).toBe(1);
    });

    it('a session that is resumed finds what was sent meanwhile, in the order in which it was sent', async () => {
      const { register, enroll, online, connect, broker, idOf } = bed();
      const id = idOf('resumed');
      await register(id);
      const pair = await enroll(id);
      const first = await online(pair, { clean: false });
      await first.subscribeAsync('control/command', { qos: 1 });
      await first.endAsync();
      await until('the client is away', () => isAway(id));
      const sent = Array.from({ length: 50 }, (_, i) => `command ${i}`);
      const topic = mountedTopic(id, 'control/command');
      const outcomes = await broker.publishBulk(
        sent.map((payload) => ({ topic, payload, qos: 1, messageExpirySeconds: 60 })),
      );
      expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['routed']));

      const second = connect(pair, { clean: false });
      const got: string[] = [];
      second.on('message', (_topic, payload) => got.push(String(payload)));
      const resumed = new Promise<boolean>((resolve) =>
        second.once('connect', ({ sessionPresent }) => resolve(sessionPresent)),
      );
      expect(await resumed).toBe(true);
      await until('everything that was sent', () => got.length >= sent.length);
      expect(got).toEqual(sent);
      // Without a session there is nobody to keep anything for.
      await second.endAsync();
      await (await online(pair, { clean: true })).endAsync();
      await until('the session is gone', async () => {
        const [outcome] = await broker.publishBulk([{ topic, payload: 'late', qos: 1 }]);
        return outcome!.kind === 'no_subscriber';
      });
    });

    it('what is published with QoS 1 or 2 is stored once each', async () => {
      const { rest, register, enroll, online, idOf } = bed();
      const id = idOf('qos');
      await register(id);
      const client = await online(await enroll(id));
      const lines = Array.from({ length: 40 }, (_, i) => `line ${i}`);
      await Promise.all(
        lines.map((message, i) => {
          const line = { id: randomUUID(), at: new Date().toISOString(), level: 'info', message };
          return client.publishAsync('log', JSON.stringify(line), { qos: i % 2 ? 1 : 2 });
        }),
      );
      const read = async () =>
        (await unwrap(rest.api.devices[':id'].logs.$get({ param: { id }, query: { limit: '100' } }))).items;
      const stored = await until(read, (items) => items.length >= lines.length);
      expect(stored.map(({ message }) => message).sort()).toEqual([...lines].sort());
    });
  });
}
