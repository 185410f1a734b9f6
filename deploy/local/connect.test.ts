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
  // Espressif's tool is not here: what it is given is kept.
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  writeFileSync(join(bin, 'esptool.py'), `#!/bin/sh\necho "esptool.py $*" >> ${dir}/tools\n`, {
    mode: 0o755,
  });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const textOf = (kind: Kind, name: string) =>
  commandsFor(kind, facts).find((block) => block.name === name)!.text;

it.each([
  ['esp32', 'firmware/esp-idf/examples/minimal/partitions.csv'],
  // Minimal SPIFFS comes with the core, which is not here.
  ['arduino', null],
] as const)(
  'the commands for %s make the settings that its component reads, and write them where they belong',
  async (kind, partitions) => {
    const table = partitions && readFileSync(join(repository, partitions), 'utf8');
    const [, offset, size] = (table && /^nvs, +data, nvs, +(\w+), +(\w+)$/m.exec(table)) || [
      '',
      '0x9000',
      '0x5000',
    ];
    const shell = openShell(dir, {
      PATH: `${dir}/bin:${process.env.PATH}`,
      WIFI_NAME: 'plant floor',
      WIFI_PASSWORD: 'a "secret", with a comma',
      PORT: '/dev/ttyACM0',
    });
    for (const { name, text } of commandsFor(kind, facts)) if (name !== 'sketch') await shell.paste(text);
    shell.close();
    const image = readFileSync(join(dir, 'settings.bin'));
    expect(image.length).toBe(Number(size));
    for (const text of ['plant-7', 'plant floor', 'a "secret", with a comma', facts.mqttUrl, 'a-token'])
      expect(image.includes(`${text}\0`), text).toBe(true);
    expect(image.includes('https://flota.example/api/issue_cert\0')).toBe(true);
    expect(readFileSync(join(dir, 'tools'), 'utf8')).toBe(
      `esptool.py --port /dev/ttyACM0 write_flash ${offset} settings.bin\n`,
    );
    rmSync(join(dir, 'tools'));
  },
);

it('the Arduino sketch is C++ against the library', () => {
  const sketch = join(dir, 'sketch.cpp');
  writeFileSync(sketch, textOf('arduino', 'sketch'));
  execFileSync('tar', ['-xzf', packLibrary(dir), '-C', dir]);
  const folder = join(repository, 'firmware/esp-idf');
  const library = [`LIBRARY=${join(dir, 'Flota')}`, `SKETCH=${sketch}`];
  execFileSync('make', ['-s', '-C', folder, 'test-sketch', ...library], { stdio: 'pipe' });
});
