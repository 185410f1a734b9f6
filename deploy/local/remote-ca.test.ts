/** The CA in a process of its own, called over mutual TLS; and what it issued without the webhook. */

import { type ChildProcess, execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { spawnGuarded } from '../lab/primitives/guard.ts';
import { program } from '../lab/primitives/programs.js';
import { until } from '../lab/primitives/until.ts';
import { RestError, unwrap } from '../lab/rest.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';

const file = (name: string) => fileURLToPath(new URL(`../../ca/${name}`, import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'flota-remote-ca-'));
const environment = { PATH: process.env.PATH ?? '', CA_DIR: join(dir, 'ca'), CA_PASSPHRASE: 'correct horse' };
const ca = (...args: string[]) =>
  promisify(execFile)(process.execPath, [...program(file('cli.ts')), ...args], { env: environment });
let service: ChildProcess;
let system: TestSystem;

beforeAll(async () => {
  const out = join(dir, 'webhook');
  await ca('init');
  await ca('issue', '--name', 'webhook.flota', '--out', out);
  service = spawnGuarded(process.execPath, program(file('main.ts')), {
    env: { ...environment, CA_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    service.stdout!.on('data', (chunk) => {
      text += chunk;
      const found = /"url":"([^"]+)"/.exec(text)?.[1];
      if (found) resolve(found);
    });
    service.once('exit', () => reject(new Error(text)));
  });
  const read = (name: string) => readFileSync(join(out, name), 'utf8');
  system = await startTestSystem({
    ca: { url, cert: read('cert.pem'), key: read('key.pem'), ca: read('ca.pem') },
  });
});
afterAll(async () => {
  await system?.close();
  if (service) {
    const ended = new Promise((resolve) => service.once('exit', resolve));
    service.kill('SIGTERM');
    await ended;
  }
  rmSync(dir, { recursive: true });
});

describe('a CA in a process of its own', () => {
  it('issues the certificate that a device enrols and connects with, and revokes it', async () => {
    const fleet = await system.start(1, { timing: { reconnectMinMs: 50 } });
    const { id } = fleet.devices[0]!;
    const device = () => unwrap(system.rest.api.devices[':id'].$get({ param: { id } }));
    const { certificate } = await until(device, ({ online }) => online);
    const of = { param: { serial: certificate!.serial } };
    await unwrap(
      system.rest.api.certificates[':serial'].revoke.$post({ ...of, json: { reason: 'keyCompromise' } }),
    );
    await until(
      () => unwrap(system.rest.api.certificates[':serial'].$get(of)),
      ({ revocation }) => revocation?.inCrl === true,
    );
    const crl = await (await fetch(`${system.stack.url}/crl/crl.pem`)).text();
    expect(crl).toBe(readFileSync(join(environment.CA_DIR, 'crl.pem'), 'utf8'));
  });

  it('has its provisioned certificates listed and revocable from the start', async () => {
    writeFileSync(join(dir, 'devices.csv'), 'id,hardware\nfactory-1,esp32-s3\n');
    const out = join(dir, 'certs');
    const env = { ...environment, FLOTA_API_TOKEN: system.stack.apiToken };
    const args = ['provision', '--csv', join(dir, 'devices.csv'), '--out', out, '--url', system.stack.url];
    await promisify(execFile)(process.execPath, [...program(file('cli.ts')), ...args], { env });
    const leaf = new X509Certificate(readFileSync(join(out, 'factory-1/cert.pem')));
    const of = { param: { serial: leaf.serialNumber } };
    const known = await unwrap(system.rest.api.certificates[':serial'].$get(of));
    expect(known).toMatchObject({
      commonName: 'factory-1',
      status: 'valid',
      notBefore: new Date(leaf.validFrom).toISOString(),
      notAfter: new Date(leaf.validTo).toISOString(),
    });
    await unwrap(
      system.rest.api.certificates[':serial'].revoke.$post({ ...of, json: { reason: 'superseded' } }),
    );
    await until(
      () => unwrap(system.rest.api.certificates[':serial'].$get(of)),
      ({ revocation }) => revocation?.inCrl === true,
    );
  });

  it('lets nothing be registered but certificates that it signed for devices, and those as often as one likes', async () => {
    const register = async (certificate: string) => {
      try {
        return (await unwrap(system.rest.api.certificates.$post({ json: { certificate } }))).serial;
      } catch (error) {
        if (error instanceof RestError) return error.code;
        throw error;
      }
    };
    const foreign = await openAuthority({ dir: join(dir, 'foreign') });
    const device = { profile: 'device', commonName: 'factory-1' } as const;
    const good = readFileSync(join(dir, 'certs/factory-1/cert.pem'), 'utf8');
    const { serialNumber } = new X509Certificate(good);
    expect([await register(good), await register(good)]).toEqual([serialNumber, serialNumber]);
    const known = await unwrap(system.rest.api.certificates.$get({ query: { commonName: 'factory-1' } }));
    expect(known.items.map(({ status }) => status)).toEqual(['revoked']);
    const der = Buffer.from(new X509Certificate(good).raw);
    der[der.length - 3]! ^= 1;
    const forged = `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`;
    const service = readFileSync(join(dir, 'webhook/cert.pem'), 'utf8');
    const others = [
      (await issueKeyPair(foreign, device)).certificate,
      forged,
      service,
      system.stack.trust,
      'x',
    ];
    for (const other of others) expect(await register(other)).toBe('certificate_refused');
  });
});
