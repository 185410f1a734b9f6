import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commandsFor } from '#console/pages/connect/commands.ts';
import { until } from '../lab/primitives/until.ts';
import { createToken, listTargets, unwrap } from '../lab/rest.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';
import { openShell } from './browser-shell.ts';
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

it('so does one that the commands of the page bring in, as they are shown there', {
  timeout: 120_000,
}, async () => {
  const { api } = system.rest;
  const id = 'bench-1';
  await unwrap(api.devices.$post({ json: { id, hardware: 'esp32s3' } }));
  const { url, mqttUrl, root, keys } = await unwrap(api.surroundings.$get());
  const token = await createToken(system.rest, id);
  const dir = join(system.dataDir, 'bench');
  mkdirSync(dir);
  // As somebody stands in the repository, whose own tree stays as it is.
  symlinkSync(fileURLToPath(new URL('../../firmware', import.meta.url)), join(dir, 'firmware'));
  const shell = openShell(dir);
  const blocks = commandsFor('host', { id, hardware: 'esp32s3', token, url, mqttUrl: mqttUrl!, root, keys });
  for (const { name, text } of blocks) {
    if (name === 'run') shell.leave(text);
    else await shell.paste(text);
  }
  const steps = () => unwrap(api.devices[':id'].first_steps.$get({ param: { id } }));
  await until(steps, ({ certificate, subscribed, message }) => certificate && subscribed && message, 60_000);
  shell.close();
});
