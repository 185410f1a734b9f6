import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { mountedTopic } from '#emqx/protocol.ts';
import { startSink } from '#emqx/standin/test-broker.ts';
import { built, make } from '#firmware/make.ts';
import { buildImage } from '#firmware/virtual/image.ts';
import { hardware } from '../fleet/devices.ts';
import { end, spawnGuarded } from '../primitives/guard.ts';
import { until } from '../primitives/until.ts';
import { deploy, registerFirmware, unwrap } from '../rest.ts';
import { callEmqx } from '../system/broker.ts';
import type { Bed, Pair } from './bed.ts';

/** `isSpoken`: by EMQX; the stand-in refuses MQTT 5, which is what there is to see there. */
export function defineMqtt5(bed: () => Bed, isSpoken: boolean): void {
  /** `flota-device --mqtt 5`; `log` is what it has said so far. */
  async function startDevice(id: string, { key, cert }: Pair) {
    await make('build/flota-device');
    const { stack, dataDir } = bed();
    const dir = join(dataDir, id);
    mkdirSync(dir, { recursive: true });
    const file = (name: string, text: string) => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    file('identity.pem', cert + key);
    const child = spawnGuarded(
      built('flota-device'),
      [
        ...['--id', id, '--dir', dir, '--hardware', hardware, '--mqtt-url', stack.mqttUrl, '--mqtt', '5'],
        ...['--trust', file('trust.pem', stack.trust)],
        ...['--signing-keys', file('keys.json', JSON.stringify(stack.signing.publicKeys))],
        ...['--timing', '{"reconnectMinMs":100,"reconnectMaxMs":300}'],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let log = '';
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk) => {
        log += chunk;
      });
    return { log: () => log, stop: () => end(child) };
  }

  describe('MQTT 5', () => {
    if (!isSpoken) {
      it('is refused by the stand-in, and the agent in C says why', { timeout: 180_000 }, async () => {
        const { register, enroll, idOf } = bed();
        const id = idOf('five');
        await register(id);
        const device = await startDevice(id, await enroll(id));
        await until('the refusal', () => /refused the connection: .*\(0x84\)/.test(device.log()));
        await device.stop();
      });
      return;
    }

    it('the agent in C is online with it, answers a command with its trace, and reads why it is banned', {
      timeout: 240_000,
    }, async () => {
      const { rest, stack, register, enroll, idOf } = bed();
      const id = idOf('five');
      await register(id);
      const device = await startDevice(id, await enroll(id));
      const of = { param: { id } };
      await until(
        () => unwrap(rest.api.devices[':id'].$get(of)),
        ({ online }) => online,
        30_000,
      );
      const client = await (await callEmqx(stack.emqx, 'GET', `/clients/${id}`)).json();
      expect(client).toMatchObject({ proto_ver: 5, expiry_interval: 7 * 86_400 });

      const heard = await listenToTraces(stack.emqx, id);
      try {
        await unwrap(rest.api.devices[':id'].commands.$post({ ...of, json: { command: 'identify' } }));
        const row = await until('the answer', () => heard.rows()[0]);
        const [, trace] = /control\/command came, traceparent (\S+?)["\s]/.exec(device.log()) ?? [];
        expect(trace).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-\d\d$/);
        expect(row.trace).toBe(trace);
      } finally {
        await heard.close();
      }

      await unwrap(rest.api.bans.$post({ json: { device: id, reason: 'stolen' } }));
      await until(
        'the refusal',
        () => device.log().includes('refused the connection: Banned (0x8a)'),
        30_000,
      );
      await rest.api.bans[':device'].$delete({ param: { device: id } });
      await device.stop();
    });

    it('an update request has an end and a trace, what has expired is not delivered, and what the ACL refuses has a reason', {
      timeout: 120_000,
    }, async () => {
      const { rest, register, enroll, online, connect, broker, idOf } = bed();
      const id = idOf('five-client');
      await register(id);
      const pair = await enroll(id);
      const five = { protocolVersion: 5, clean: false, properties: { sessionExpiryInterval: 600 } } as const;
      const client = await online(pair, five);
      await client.subscribeAsync(['firmware/download/request', 'control/command'], { qos: 1 });
      await expect(client.publishAsync('ack', 'x', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });

      const image = buildImage({ version: '5.0.0', sizeBytes: 10_000, selfTest: 'pass', seed: 5 });
      const firmware = await registerFirmware(rest, image, {
        ...{ version: '5.0.0', fileName: 'image.bin', hardware },
      });
      const arrived = new Promise<Record<string, unknown>>((resolve) =>
        client.once('message', (_topic, _payload, { properties }) => resolve({ ...properties })),
      );
      const { id: deployment } = await deploy(rest, { firmwareId: firmware.id, devices: [id] });
      const { messageExpiryInterval, userProperties } = await arrived;
      expect(messageExpiryInterval).toBeGreaterThan(0);
      expect(userProperties).toMatchObject({ traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-/) });
      await unwrap(rest.api.deployments[':id'].cancel.$post({ param: { id: deployment } }));

      await client.endAsync();
      const topic = mountedTopic(id, 'control/command');
      const send = (payload: string, messageExpirySeconds: number) =>
        broker.publishBulk([{ topic, payload, qos: 1, messageExpirySeconds }]);
      const sentAt = Date.now();
      await send('expired', 1);
      await send('kept', 600);
      await until('the first has expired', () => Date.now() - sentAt > 1_500);
      const back = connect(pair, five);
      const got: string[] = [];
      back.on('message', (at, payload) => at === 'control/command' && got.push(String(payload)));
      await until('what was kept', () => got.includes('kept'));
      expect(got).toEqual(['kept']);
    });
  });
}

/** A rule of our own that reads the trace of a device's answers. */
async function listenToTraces(emqx: Bed['stack']['emqx'], id: string) {
  const sink = await startSink();
  const name = `case_${id.replaceAll('-', '_')}`;
  const call = async (method: string, path: string, body?: object) => {
    const answer = await callEmqx(emqx, method, path, body && JSON.stringify(body));
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  };
  await call('POST', '/connectors', { type: 'http', name, url: sink.url });
  await call('POST', '/actions', { type: 'http', name, connector: name, parameters: { method: 'post' } });
  const sql = `SELECT pub_props.'User-Property'.traceparent as trace FROM "${mountedTopic(id, 'control/response')}"`;
  await call('POST', '/rules', { id: name, sql, actions: [`http:${name}`] });
  return {
    rows: () => sink.rows() as { trace: string }[],
    async close() {
      await call('DELETE', `/rules/${name}`);
      await call('DELETE', `/actions/http:${name}`);
      await call('DELETE', `/connectors/http:${name}`);
      await sink.close();
    },
  };
}
