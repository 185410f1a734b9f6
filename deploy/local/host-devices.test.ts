import { afterAll, beforeAll, expect, it } from 'vitest';
import { listTargets } from '../lab/rest.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';
import { deployDemo, watch } from './demo.ts';
import { type HostDevices, startHostDevices } from './host-devices.ts';

let system: TestSystem;
let hosts: HostDevices | null = null;
beforeAll(async () => {
  system = await startTestSystem();
});
afterAll(async () => {
  await hosts?.close();
  await system?.close();
});

it('a device that runs the agent in C enrols, updates itself and reports its success', {
  timeout: 120_000,
}, async () => {
  hosts = await startHostDevices(system.stack, system.dataDir, 1);
  const [deployment] = await deployDemo(system.rest, hosts.ids);
  await watch(system.rest, [deployment!.id], () => {}, AbortSignal.timeout(60_000));
  const targets = await listTargets(system.rest, deployment!.id);
  expect(targets.map(({ device, state }) => [device, state])).toEqual([['host-001', 'succeeded']]);
});
