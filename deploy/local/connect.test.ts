/** What the page "Connect a device" shows for chips, as it is shown there; for hosts: `host-devices.test.ts`, `browser.test.ts`. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { commandsFor, type Facts, type Kind } from '#console/pages/connect/commands.ts';
import { packLibrary } from '#firmware/esp-idf/pack.ts';
import { makeKey, openKey } from '#firmware/signing/key.ts';
import { openShell } from './browser-shell.ts';

const repository = fileURLToPath(new URL('../..', import.meta.url));
let dir: string;
let facts: Facts;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'flota-connect-'));
  const certificate = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const root = execFileSync('openssl', [...certificate, '-subj', '/CN=root', '-keyout', join(dir, 'k')]);
  facts = {
    id: 'plant-7',
    hardware: 'minimal',
    token: 'a-token',
    url: 'https://flota.example',
    mqttUrl: 'mqtts://mqtt.example:8883',
    root: root.toString(),
    keys: (await openKey(makeKey())).publicKeys,
  };
  // As somebody stands in the repository, whose own tree stays as it is.
  for (const name of ['firmware', 'emqx', 'node_modules', 'package.json', 'tsconfig.json'])
    symlinkSync(join(repository, name), join(dir, name));
  // Espressif's tools are not here: what they are given is kept.
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  for (const name of ['python3', 'esptool.py'])
    writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >> ${dir}/tools\n`, { mode: 0o755 });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const textOf = (kind: Kind, name: string) =>
  commandsFor(kind, facts).find((block) => block.name === name)!.text;

it('the commands for an ESP32 make the settings that its component reads, and write them where they belong', async () => {
  const shell = openShell(dir, {
    PATH: `${dir}/bin:${process.env.PATH}`,
    WIFI_NAME: 'plant floor',
    WIFI_PASSWORD: 'a "secret", with a comma',
    PORT: '/dev/ttyACM0',
    IDF_PATH: '/idf',
  });
  for (const { text } of commandsFor('esp32', facts)) await shell.paste(text);
  shell.close();
  const csv = readFileSync(join(dir, 'settings.csv'), 'utf8');
  for (const line of [
    'id,data,string,plant-7',
    'wifi_ssid,data,string,plant floor',
    'wifi_password,data,string,"a ""secret"", with a comma"',
    'mqtt_url,data,string,mqtts://mqtt.example:8883',
    'enroll_url,data,string,https://flota.example/api/issue_cert',
    'token,data,string,a-token',
  ])
    expect(csv).toContain(`${line}\n`);
  expect(csv).toMatch(/^key0_xy,data,string,[0-9a-f]{128}$/m);
  // The table that this is written for.
  const [, offset, size] = /^nvs, +data, nvs, +(\w+), +(\w+)$/m.exec(
    readFileSync(join(repository, 'firmware/esp-idf/examples/minimal/partitions.csv'), 'utf8'),
  )!;
  expect(readFileSync(join(dir, 'tools'), 'utf8').split('\n')).toEqual([
    `python3 /idf/components/nvs_flash/nvs_partition_generator/nvs_partition_gen.py generate settings.csv settings.bin ${size}`,
    `esptool.py --port /dev/ttyACM0 write_flash ${offset} settings.bin`,
    '',
  ]);
});

it('the Arduino sketch is C++ against the library', () => {
  const sketch = join(dir, 'sketch.cpp');
  writeFileSync(sketch, textOf('arduino', 'sketch'));
  execFileSync('tar', ['-xzf', packLibrary(dir), '-C', dir]);
  const folder = join(repository, 'firmware/esp-idf');
  const library = [`LIBRARY=${join(dir, 'Flota')}`, `SKETCH=${sketch}`];
  execFileSync('make', ['-s', '-C', folder, 'test-sketch', ...library], { stdio: 'pipe' });
});
