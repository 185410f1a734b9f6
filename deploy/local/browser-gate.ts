/** For tests only: a rollout that fares so badly that its health gate halts it. Its devices are only told of, as the broker's rules would. */
import { randomUUID } from 'node:crypto';
import { setTimeout as rest } from 'node:timers/promises';
import { importDevices, listTargets, readDeployment, unwrap } from '../lab/rest.ts';
import type { TestSystem } from '../lab/testing.ts';
import { addFirmware, sendEvent } from './browser-scene.ts';

const hardware = 'gauge';
const ids = Array.from({ length: 12 }, (_, i) => `gauge-${i + 1}`);
const [windowMs, everyMs, patienceMs] = [1_000, 400, 100_000];

/** The deployment, once it has halted: with the image the battery is at half of what it is without. */
export async function haltByGate({ stack, rest: api }: TestSystem): Promise<string> {
  await importDevices(
    stack,
    ids.map((id) => `${id},${hardware},,,,`),
  );
  const send = (id: string, topic: string, body: object, receivedAt = Date.now()) =>
    sendEvent(stack, {
      ...{ clientid: id, topic: `devices/${id}/${topic}`, received_at: receivedAt },
      payload: JSON.stringify({ id: randomUUID(), at: null, ...body }),
    });
  /** A little other each time. */
  const tellBattery = (id: string, level: number, at = Date.now()) =>
    send(id, 'data/metrics', { values: { battery: level + (at % 3) } }, at);
  const before = Array.from({ length: 15 }, (_, i) => Date.now() - (i + 1) * 20 * 60_001);
  await Promise.all(ids.flatMap((id) => before.map((at) => tellBattery(id, 80, at))));
  for (const id of ids)
    await sendEvent(stack, {
      ...{ event: 'subscribed', clientid: id, topic: `devices/${id}/firmware/download/request` },
    });

  const child = { component: 'main', hardware };
  const firmwareId = await addFirmware(api, { version: '5.0.0', name: 'Gauge', sizeBytes: 10_000, child });
  const { sha256 } = await unwrap(api.api.firmware[':id'].$get({ param: { id: firmwareId } }));
  const signals = [{ kind: 'metric' as const, name: 'battery', better: 'high' as const, marginPercent: 10 }];
  const health = { control: { count: 5 }, minDevices: 5, windowMs, minObservedMs: 6 * windowMs, signals };
  const { id } = await unwrap(
    api.api.deployments.$post({ json: { firmwareId, all: true, policy: { health } } }),
  );
  const running = { component: 'main', version: '5.0.0', securityVersion: 0, sha256 };
  const result = { seq: [1, 1], deployment: id, attempt: 1, outcome: 'succeeded', running };
  for (const until = Date.now() + patienceMs; Date.now() < until; await rest(everyMs)) {
    const [{ state }, targets] = await Promise.all([readDeployment(api, id), listTargets(api, id)]);
    if (state === 'halted') return id;
    const asked = targets.filter((target) => target.state === 'sent');
    await Promise.all(asked.map(({ device }) => send(device, 'firmware/download/result', result)));
    await Promise.all(
      targets.map(({ device, state }) => tellBattery(device, state === 'succeeded' ? 40 : 80)),
    );
  }
  throw new Error('the gate did not halt the deployment');
}
