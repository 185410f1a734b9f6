import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commandsFor } from '#console/pages/connect/commands.ts';
import { whyNoBoard } from '../../.ci/board-sources.ts';
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
  hosts = await startHostDevices(system.stack, system.dataDir, { host: 1, board: 0 });
  const [deployment] = await deployDemo(system.rest, hosts.ids);
  await watch(system.rest, [deployment!.id], () => {}, AbortSignal.timeout(60_000));
  const targets = await listTargets(system.rest, deployment!.id);
  expect(targets.map(({ device, state }) => [device, state])).toEqual([['host-001', 'succeeded']]);
});

const noBoard = whyNoBoard();
if (noBoard) process.stderr.write(`the agent is NOT run on an emulated board: ${noBoard}\n`);
it.skipIf(noBoard)(
  'so does one on a bare Cortex-M3 that qemu emulates, over its Ethernet',
  {
    timeout: 300_000,
  },
  async () => {
    const boards = await startHostDevices(system.stack, system.dataDir, { host: 0, board: 1 });
    try {
      const [deployment] = await deployDemo(system.rest, boards.ids);
      await watch(system.rest, [deployment!.id], () => {}, AbortSignal.timeout(120_000));
      const targets = await listTargets(system.rest, deployment!.id);
      expect(targets.map(({ device, state }) => [device, state])).toEqual([['board-001', 'succeeded']]);
      // The machine was reset, and what it measured then is what counts.
      const { running } = await unwrap(system.rest.api.devices[':id'].$get({ param: { id: 'board-001' } }));
      expect(running).toMatchObject([{ component: 'main', version: deployment!.firmware.version }]);
      const log = readFileSync(join(system.dataDir, 'devices/board-001/device.log'), 'utf8');
      expect(log.match(/"message":"boot"/g)).toHaveLength(2);
    } finally {
      await boards.close();
    }
  },
);

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
  await until(steps, ({ certificate, subscribed, message }) => certificate && subscribed && message);
  shell.close();
});
