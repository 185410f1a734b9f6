/** The command line against a whole Flota with virtual devices: what CI types, and what people type. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readAttested } from '#ca/client.ts';
import { makeKey, openKey } from '#firmware/signing/key.ts';
import { buildImage } from '#firmware/virtual/image.ts';
import { codeOf, stepAt } from '#webhook/auth/totp.ts';
import { buildElf } from '#webhook/crashes/testing-elf.ts';
import { espImage } from '#webhook/firmware/testing-images.ts';
import type { Fleet } from '../lab/fleet/devices.ts';
import { holdPort } from '../lab/primitives/listen.ts';
import { until } from '../lab/primitives/until.ts';
import { deploy, findFirmware, unwrap } from '../lab/rest.ts';
import { startTestSystem, type TestSystem } from '../lab/testing.ts';
import { runAction } from './action-steps.ts';
import { callFlota, type Ended, startFlota } from './testing.ts';

let system: TestSystem;
let fleet: Fleet;
let env: Record<string, string>;
/** Nobody listens there. */
const closed = holdPort();
const adminPassword = 'correct horse battery';

beforeAll(async () => {
  system = await startTestSystem({ adminPassword });
  fleet = await system.start(3, { timing: { reconnectMinMs: 100, retryMinMs: 50 } });
  const { tokens } = system.rest.api;
  const { secret } = await unwrap(tokens.$post({ json: { name: 'cli tests', role: 'operator' } }));
  env = { FLOTA_URL: system.stack.url, FLOTA_TOKEN: secret };
}, 120_000);
afterAll(() => {
  closed.release();
  return system?.close();
});

const flota = (...args: string[]): Promise<Ended> => callFlota(args, { env });
/** As whoever types it has it. */
const flotaProcess = (...args: string[]): Promise<Ended> => startFlota(args, { env }).ended;
const lines = (out: string) =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
const failure = (ended: Ended) => ({ status: ended.status, ...JSON.parse(ended.err).error });

function file(name: string, content: Uint8Array | string): string {
  const path = join(system.dataDir, name);
  writeFileSync(path, content);
  return path;
}
function image(version: string, selfTest: 'pass' | 'fail' = 'pass', sizeBytes = 60_000): Buffer {
  return buildImage({ version, sizeBytes, selfTest, seed: 7 });
}

describe('in CI, with FLOTA_URL and FLOTA_TOKEN alone,', () => {
  test('an upload and a deployment end with 0 when every device runs it; both may be repeated', async () => {
    const app = file('app.bin', image('9.9.9'));
    const upload = ['firmware', 'upload', app, '--version', '9.9.9', '--hardware', 'esp32-s3'];
    expect(await flotaProcess(...upload)).toMatchObject({
      status: 0,
      err: '',
      out: expect.stringMatching(/^Registered: app\.bin 9\.9\.9 for esp32-s3, [0-9a-f-]{36}\n$/),
    });
    const rollOut = ['deploy', '--version', '9.9.9', '--all', '--watch', '--timeout', '5min'];
    const done = await flotaProcess(...rollOut);
    expect(done).toMatchObject({
      status: 0,
      err: expect.stringContaining('completed: 3 devices, 3 succeeded'),
    });
    expect(done.out).toMatch(/^Deployment [0-9a-f-]{36}: app\.bin 9\.9\.9 to 3 devices\n/);
    for (const device of fleet.devices) expect(device.snapshot().running?.version).toBe('9.9.9');

    expect((await flota(...upload)).out).toMatch(/^There already: app\.bin/);
    const again = await flota(...rollOut, '--json');
    expect(again.status).toBe(0);
    expect(lines(again.out).at(-1)).toMatchObject({ state: 'completed', counts: { skipped: 3 } });
  }, 120_000);

  test('a deployment of which one fails ends with 1, and says which and why', async () => {
    const bad = file('bad.bin', image('9.9.10', 'fail'));
    expect((await flota('firmware', 'upload', bad, '--version', '9.9.10')).status).toBe(0);
    const done = await flota('deploy', '--version', '9.9.10', '--device', 'device-001', '--watch');
    expect(done.status).toBe(1);
    expect(done.out).toContain('device-001  rolled_back (self_test_failed)');
  }, 120_000);

  test('a deployment that waits for a second person ends with 5, and says where that one decides', async () => {
    const setRules = (rules: { hardware: null; aboveDevices: number }[]) =>
      unwrap(system.rest.api.approval_rules.$put({ json: { rules } }));
    await setRules([{ hardware: null, aboveDevices: 0 }]);
    const waiting = await flota('deploy', '--version', '9.9.10', '--device', 'device-002', '--watch');
    expect(waiting.status).toBe(5);
    const [, id] = /Waiting for approval by somebody else: \S+\/deployments\/(\S+)/.exec(waiting.err)!;
    expect((await flota('cancel', id!)).status).toBe(0);
    await setRules([]);
  }, 120_000);
});

describe('the GitHub action', () => {
  const action = fileURLToPath(new URL('../../.github/actions/deploy/action.yml', import.meta.url));

  test('registers, signs and deploys by its own steps, and fails when a device does', async () => {
    const key = readFileSync(join(system.dataDir, 'firmware-signing-key.pem'), 'utf8');
    const from = { url: env.FLOTA_URL!, token: env.FLOTA_TOKEN!, hardware: 'esp32-s3', timeout: '2min' };
    const good = { file: file('good app.bin', image('9.9.5')), version: '9.9.5', 'signing-key': key };
    const made = await runAction(action, { ...from, ...good, waves: '1,100%' }, system.dataDir);
    const found = await findFirmware(system.rest, '9.9.5');
    expect(made['steps.upload.outputs.firmware']).toBe(found!.id);
    for (const device of fleet.devices) expect(device.snapshot().running?.version).toBe('9.9.5');

    // Nothing that is given is a command.
    const query = 'id = device-001 and not tag = "$(exit 7)"';
    const bad = { file: file('bad app.bin', image('9.9.6', 'fail')), version: '9.9.6', query };
    await expect(runAction(action, { ...from, ...bad }, system.dataDir)).rejects.toThrow(
      /^status 1: .*device-001 {2}rolled_back/s,
    );
  }, 240_000);
});

describe('undo', () => {
  test('shows who would go back to what, and ends with 0 when they have', async () => {
    const running = () => fleet.devices[1]!.snapshot().running?.version;
    const before = running();
    const path = file('taken-back.bin', image('9.9.14'));
    expect((await flota('firmware', 'upload', path, '--version', '9.9.14')).status).toBe(0);
    const made = await flota('deploy', '--version', '9.9.14', '--device', 'device-002', '--watch');
    const [, id] = /^Deployment (\S+):/.exec(made.out)!;
    expect([made.status, running()]).toEqual([0, '9.9.14']);
    const foreseen = await flota('undo', id!, '--dry-run');
    expect(foreseen).toMatchObject({ status: 0, out: `1 devices would go back to ${before}\n` });
    expect(running()).toBe('9.9.14');
    const undone = await flota('undo', id!, '--watch', '--timeout', '1min');
    expect(undone).toMatchObject({
      status: 0,
      out: expect.stringContaining(`1 devices go back to ${before}`),
      err: expect.stringContaining('completed: 1 devices, 1 succeeded'),
    });
    expect(running()).toBe(before);
    expect(failure(await flota('undo', id!, '--json'))).toMatchObject({
      ...{ status: 3, code: 'deployment_undone' },
    });
  }, 120_000);
});

describe('watch', () => {
  test('ends with 130 on Ctrl-C and leaves the deployment alone, with 1 when the time is over', async () => {
    // So that it lasts.
    await fleet.switchOff('device-003');
    const { id } = await deployNew('9.9.11');
    const running = startFlota(['watch', id], { env });
    await new Promise((resolve) => running.child.stdout!.once('data', resolve));
    running.child.kill('SIGINT');
    expect(await running.ended).toMatchObject({
      status: 130,
      err: expect.stringContaining(`flota cancel ${id}`),
    });
    expect(await flota('watch', id, '--timeout', '1s')).toMatchObject({
      status: 1,
      err: expect.stringContaining('Not ended in time'),
    });
    fleet.switchOn('device-003');
    const ended = await flota('watch', id, '--json');
    expect(ended.status).toBe(0);
    expect(lines(ended.out).at(-1)).toMatchObject({ state: 'completed', counts: { succeeded: 1 } });
  }, 120_000);

  test('ends with 1 when somebody cancels; cancel ends with 0', async () => {
    await fleet.switchOff('device-003');
    const { id } = await deployNew('9.9.12');
    const watching = startFlota(['watch', id, '--json'], { env });
    await new Promise((resolve) => watching.child.stdout!.once('data', resolve));
    expect(await flota('cancel', id)).toMatchObject({ status: 0 });
    fleet.switchOn('device-003');
    expect((await watching.ended).status).toBe(1);
    expect(failure(await flota('cancel', id, '--json'))).toMatchObject({
      status: 3,
      code: 'deployment_finished',
    });
  }, 120_000);

  async function deployNew(version: string) {
    const path = file(`${version}.bin`, image(version));
    expect((await flota('firmware', 'upload', path, '--version', version)).status).toBe(0);
    const { id: firmwareId } = (await findFirmware(system.rest, version))!;
    return deploy(system.rest, { firmwareId, devices: ['device-003'] });
  }
});

describe('firmware upload', () => {
  test('takes version, hardware and security version from the image, and signs them with the key that it is given', async () => {
    const path = file('c3.bin', espImage(0x0005, { version: '3.1.4', securityVersion: 2 }));
    const key = join(system.dataDir, 'firmware-signing-key.pem');
    const uploaded = await flota('firmware', 'upload', path, '--key', key, '--notes', 'Brighter', '--json');
    expect(uploaded).toMatchObject({ status: 0, err: '' });
    expect(JSON.parse(uploaded.out)).toMatchObject({
      version: '3.1.4',
      hardware: 'esp32-c3',
      securityVersion: 2,
      releaseNote: 'Brighter',
      signed: true,
    });
    const listed = JSON.parse((await flota('firmware', 'list', '--search', '3.1.4', '--json')).out);
    expect(listed).toEqual([JSON.parse(uploaded.out)]);
  }, 120_000);

  test('refuses, before anything is sent, what is no firmware, another version or chip, empty, or not there', async () => {
    const png = file('photo.png', Buffer.from('89504e470d0a1a0a', 'hex'));
    const esp = file('esp.bin', espImage(0x0009, { version: '1.2.3' }));
    const plain = file('plain.bin', 'no header');
    const cases: [string[], string][] = [
      [[png, '--version', '1'], 'image_not_firmware'],
      [[esp, '--version', '1.2.4'], 'image_version_differs'],
      [[esp, '--hardware', 'esp32-c3'], 'image_chip_differs'],
      [[plain], 'image_version_unknown'],
      [[file('empty.bin', ''), '--version', '1'], 'object_empty'],
      [[join(system.dataDir, 'nowhere.bin')], 'file_unreadable'],
      [[system.dataDir], 'file_unreadable'],
      [[plain, '--version', '1', '--key', plain], 'key_invalid'],
      [[plain, '--version', '1', '--security-version', '-1'], 'usage'],
    ];
    // Nobody is asked: there is nobody at this address.
    const nobody = { FLOTA_URL: `http://127.0.0.1:${closed.port}`, FLOTA_TOKEN: 'any' };
    for (const [args, code] of cases) {
      const ended = await callFlota(['firmware', 'upload', ...args, '--json'], { env: nobody });
      expect(failure(ended)).toMatchObject({ status: 2, code, exit: 2 });
    }
  }, 120_000);

  test('says what the server refuses: a version that has other bytes already, a key that it does not trust', async () => {
    const path = file('twice.bin', image('4.0.0'));
    expect((await flota('firmware', 'upload', path, '--version', '4.0.0')).status).toBe(0);
    file('twice.bin', image('4.0.0', 'pass', 70_000));
    expect(failure(await flota('firmware', 'upload', path, '--version', '4.0.0', '--json'))).toMatchObject({
      status: 3,
      code: 'firmware_exists',
      next: expect.stringContaining('--file-name'),
    });
    const ours = ['--version', '4.0.1', '--key', file('other.pem', makeKey())];
    expect(failure(await flota('firmware', 'upload', path, ...ours, '--json'))).toMatchObject({
      status: 3,
      code: 'manifest_invalid',
    });
  }, 120_000);
});

describe('patches', () => {
  test('are made from the firmwares that are named, listed, and signed only with a key that the server trusts', async () => {
    const upload = async (version: string) => {
      const name = file(`patched-${version}.bin`, image(version));
      return JSON.parse((await flota('firmware', 'upload', name, '--version', version, '--json')).out);
    };
    const [older, newer] = [await upload('6.0.0'), await upload('6.1.0')];
    const made = await flota('patches', 'make', newer.id, '--from', older.id, '--json');
    expect([made.status, made.err]).toEqual([0, '']);
    const { items } = JSON.parse(made.out);
    expect(items).toMatchObject([{ base: older.sha256, state: 'ready' }, { base: null }]);
    expect((await flota('patches', 'list', newer.id)).out).toMatch(/patched-6\.0\.0\.bin 6\.0\.0\s+ready/);
    const key = file('patches.pem', makeKey());
    // What the server signed is by its key.
    expect(failure(await flota('patches', 'sign', newer.id, '--key', key, '--json'))).toMatchObject({
      status: 2,
      code: 'patches_not_signed',
    });
    const signed = await (await openKey(makeKey())).sign(items[0].claims);
    const brought = file('signed.json', JSON.stringify([{ base: older.sha256, manifest: signed }]));
    expect(failure(await flota('patches', 'sign', newer.id, '--in', brought, '--json'))).toMatchObject({
      status: 3,
      code: 'manifest_invalid',
    });
    const args = ['patches', 'sign', newer.id, '--json'];
    expect(failure(await flota(...args, '--in', key))).toMatchObject({ status: 2, code: 'file_unreadable' });
    expect(failure(await flota(...args))).toMatchObject({ status: 2, code: 'usage' });
  }, 120_000);
});

describe('deploy', () => {
  test('tries without sending anything, to regions, divisions, devices and what a query finds', async () => {
    const chosen = ['--region', 'Busan', '--division', 'Retail', '--query', 'id = device-001'];
    const how = [
      '--waves',
      '1,50%,100%',
      '--soak',
      '1min',
      '--failure',
      '5%',
      '--success',
      '90%',
      '--rate',
      '60',
    ];
    const tried = await flota('deploy', '--version', '9.9.9', ...chosen, ...how, '--dry-run', '--json');
    expect(tried).toMatchObject({ status: 0, err: '' });
    const before = JSON.parse((await flota('deployments', '--json')).out);
    expect(JSON.parse(tried.out).targets + JSON.parse(tried.out).excludedCounts.up_to_date).toBe(1);
    expect(JSON.parse((await flota('deployments', '--json')).out)).toEqual(before);
  }, 120_000);

  test('names what is not known, not clear or not there', async () => {
    const twin = file('twin.bin', image('9.9.9'));
    expect(
      (await flota('firmware', 'upload', twin, '--version', '9.9.9', '--hardware', 'esp32-c3')).status,
    ).toBe(0);
    const cases: [string[], number, string][] = [
      [['--version', '0.0.404', '--all'], 3, 'firmware_unknown'],
      [['--version', '9.9.9', '--all'], 2, 'firmware_ambiguous'],
      [['--version', '9.9.9', '--hardware', 'esp32-c3', '--all'], 3, 'no_targets'],
      [['--version', '9.9.9'], 2, 'usage'],
      [['--all'], 2, 'usage'],
      [['--version', '9.9.9', '--hardware', 'esp32-s3', '--region', 'Atlantis'], 3, 'place_unknown'],
      [['--version', '9.9.9', '--hardware', 'esp32-s3', '--query', 'tag = none'], 3, 'no_match'],
      [['--version', '9.9.9', '--hardware', 'esp32-s3', '--group', 'none'], 3, 'unknown_reference'],
      [['--version', '9.9.9', '--hardware', 'esp32-s3', '--query', 'tag ='], 3, 'invalid_request'],
      [['--version', '9.9.9', '--hardware', 'esp32-s3', '--all', '--start-at', 'soon'], 3, 'invalid_request'],
      [['--version', '9.9.9', '--all', '--waves', '1,5'], 2, 'usage'],
      [['--version', '9.9.9', '--all', '--timeout', '5min'], 2, 'usage'],
      [['--version', '9.9.9', '--all', '--wave', '1'], 2, 'usage'],
      [['--firmware', 'x', '--all'], 3, 'invalid_request'],
      [['--firmware', '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1', '--all'], 3, 'not_found'],
    ];
    for (const [args, status, code] of cases)
      expect([args, failure(await flota('deploy', ...args, '--json'))]).toMatchObject([
        args,
        { status, code },
      ]);
  }, 120_000);
});

describe('devices, logs and certs', () => {
  test('list what filters and queries find, and show one', async () => {
    const ids = async (...args: string[]) =>
      JSON.parse((await flota(...args, '--json')).out).map((device: { id: string }) => device.id);
    expect(await ids('devices', 'list')).toEqual(['device-001', 'device-002', 'device-003']);
    expect(await ids('devices', 'list', '--limit', '2')).toEqual(['device-001', 'device-002']);
    expect(await ids('devices', 'list', '--region', 'Seoul')).toEqual(['device-002']);
    expect(await ids('devices', 'query', 'id = device-003')).toEqual(['device-003']);
    const shown = await flota('devices', 'show', 'device-001');
    expect(shown.out).toMatch(/^ID +device-001\n/);
    expect(shown.out).toContain('self_test_failed');
    expect(failure(await flota('devices', 'show', 'nobody', '--json'))).toMatchObject({
      status: 3,
      code: 'not_found',
    });
    const [first] = JSON.parse((await flota('certs', '--device', 'device-001', '--json')).out);
    expect(first).toMatchObject({ commonName: 'device-001', profile: 'device' });
  }, 120_000);

  test('logs -f shows each line once, as it comes, until Ctrl-C', async () => {
    const args = ['logs', 'device-001', '-f', '--lines', '1000', '--json'];
    const following = startFlota(args, { env });
    let said = '';
    following.child.stdout!.on('data', (chunk) => (said += chunk));
    await until(
      () => said,
      (text) => text.includes('\n'),
    );
    const { id: firmwareId } = (await findFirmware(system.rest, '9.9.11'))!;
    await deploy(system.rest, { firmwareId, devices: ['device-001'] });
    await until(
      () => said,
      (text) => text.split('the new image is confirmed').length > 2,
    );
    following.child.kill('SIGINT');
    const { status, out } = await following.ended;
    expect(status).toBe(0);
    const { items } = await unwrap(
      system.rest.api.devices[':id'].logs.$get({ param: { id: 'device-001' }, query: { limit: '1000' } }),
    );
    const followed = lines(out);
    expect(followed).toEqual(items.reverse().slice(0, followed.length));
  }, 120_000);
});

describe('crashes', () => {
  test('are listed by firmware, and one is shown with the functions of the ELF that was uploaded', async () => {
    const { elf, address } = buildElf();
    const { id } = (await findFirmware(system.rest, '9.9.9'))!;
    const of = system.rest.api.firmware[':id'].elf;
    const { url, headers, s3Path } = await unwrap(
      of.presigned_upload.$post({ param: { id }, json: { fileName: 'app.elf' } }),
    );
    expect((await fetch(url, { method: 'PUT', headers, body: new Uint8Array(elf) })).ok).toBe(true);
    await unwrap(of.$post({ param: { id }, json: { s3Path } }));
    const pc = Number(address);
    const sha256 = createHash('sha256').update(elf).digest('hex');
    // What others have begun is over: a crash while it reboots is none.
    await until(
      () => unwrap(system.rest.api.deployments.$get({ query: {} })),
      ({ items }) => items.every(({ state }) => state !== 'running'),
    );
    fleet.devices[0]!.crash({ elf: sha256, pc, backtrace: [pc, 4], reason: 'LoadProhibited' });
    const [group] = await until(
      async () => JSON.parse((await flota('crashes', 'list', '--version', '9.9.9', '--json')).out),
      ([one]) => one?.place,
    );
    expect(group).toMatchObject({ firmware: { id }, devices: 1, reason: 'LoadProhibited' });
    expect((await flota('crashes', 'list')).out).toMatch(
      /\S+\.bin 9\.9\.9 +LoadProhibited +(parse|read_sensor) +1 +1 /,
    );
    const shown = await flota('crashes', 'show', group.id);
    expect(shown).toMatchObject({ status: 0, err: '' });
    expect(shown.out).toMatch(/\n0x[0-9a-f]+ [\s\S]* +read_sensor +\S*sensor\.c:\d\n0x4 +– +–\n/);
    expect(shown.out).toMatch(/\ndevice-001 +1 /);
    expect(failure(await flota('crashes', 'list', '--version', '7.7.7', '--json'))).toMatchObject({
      code: 'firmware_unknown',
    });
  }, 120_000);
});

describe('login', () => {
  const at = () => ({ XDG_CONFIG_HOME: join(system.dataDir, 'config') });
  const login = (args: string[], stdin = '') =>
    callFlota(['login', '--url', system.stack.url, ...args], { env: at(), stdin });
  const kept = () => join(system.dataDir, 'config/flota/login.json');

  test('keeps a token from stdin for the commands that follow, readable by nobody else, until logout', async () => {
    const process_ = { env: at(), stdin: `${env.FLOTA_TOKEN}\n` };
    const loggedIn = await startFlota(['login', '--url', system.stack.url], process_).ended;
    expect(loggedIn).toMatchObject({
      status: 0,
      out: expect.stringContaining('(operator)'),
    });
    expect(statSync(kept()).mode & 0o777).toBe(0o600);
    expect((await startFlota(['devices', 'list'], { env: at() }).ended).status).toBe(0);
    // Not for another server.
    const elsewhere = ['devices', 'list', '--url', 'http://127.0.0.1:9', '--json'];
    expect(failure(await callFlota(elsewhere, { env: at() }))).toMatchObject({
      code: 'login_missing',
    });
    expect((await callFlota(['logout'], { env: at() })).status).toBe(0);
    expect(failure(await callFlota(['devices', 'list', '--json'], { env: at() }))).toMatchObject({
      status: 2,
      code: 'url_missing',
    });
  }, 120_000);

  test('makes a token of an operator from an admin’s password', async () => {
    expect(await login(['--email', 'admin@flota.local'], `${adminPassword}\n`)).toMatchObject({
      status: 0,
      out: expect.stringContaining('(operator)'),
    });
    const { token } = JSON.parse(readFileSync(kept(), 'utf8'));
    expect(token).toMatch(/^flota_/);
    expect(failure(await login(['--email', 'admin@flota.local', '--json'], 'wrong\n'))).toMatchObject({
      status: 3,
      code: 'login_failed',
    });
  }, 120_000);

  test('makes one of anybody, with that role at most', async () => {
    const json = {
      email: 'viewer@flota.local',
      password: 'a third long passphrase',
      role: 'viewer',
    } as const;
    await unwrap(system.rest.api.users.$post({ json }));
    const args = ['--email', json.email];
    expect(await login(args, `${json.password}\n`)).toMatchObject({
      ...{ status: 0, out: expect.stringContaining('of viewer@flota.local (viewer)') },
    });
    expect(
      failure(await login([...args, '--role', 'operator', '--json'], `${json.password}\n`)),
    ).toMatchObject({
      ...{ status: 3, code: 'forbidden' },
    });
  }, 120_000);

  test('takes the code of the authenticator, where the account has one; each holds once', async () => {
    const account = { email: 'two@flota.local', password: 'a second long passphrase' };
    await unwrap(system.rest.api.users.$post({ json: { ...account, role: 'admin' } }));
    const ask = async (path: string, body: object, cookie = '') => {
      const headers = { cookie, 'content-type': 'application/json' };
      const answer = await fetch(`${system.stack.url}${path}`, {
        ...{ method: 'POST', headers, body: JSON.stringify(body) },
      });
      expect(answer.status).toBe(200);
      return answer;
    };
    const [session] = (await ask('/api/login', account)).headers.getSetCookie();
    const cookie = session!.split(';')[0]!;
    const { secret } = await (await ask('/api/me/totp', { password: account.password }, cookie)).json();
    const step = stepAt(Date.now());
    await ask('/api/me/totp/confirm', { code: codeOf(secret, step - 1) }, cookie);

    const args = ['--email', account.email, '--json'];
    const withCode = (code: string) => login([...args, '--code', code], `${account.password}\n`);
    expect(failure(await login(args, `${account.password}\n`))).toMatchObject({
      ...{ status: 3, code: 'totp_required', next: expect.stringContaining('--code') },
    });
    expect(failure(await withCode('000000'))).toMatchObject({ status: 3, code: 'totp_wrong' });
    expect(await withCode(codeOf(secret, step))).toMatchObject({ status: 0 });
    expect((await callFlota(['devices', 'list'], { env: at() })).status).toBe(0);
    expect(failure(await withCode(codeOf(secret, step)))).toMatchObject({ code: 'totp_wrong' });
    expect(failure(await login(['--code', '123456', '--json']))).toMatchObject({ status: 2, code: 'usage' });
  }, 120_000);

  test('refuses what is no token and a file that is no login', async () => {
    expect(failure(await login(['--json'], 'flota_wrong\n'))).toMatchObject({
      status: 3,
      code: 'token_invalid',
    });
    expect(failure(await login(['--json'], ''))).toMatchObject({ status: 2, code: 'usage' });
    writeFileSync(kept(), '{"url":');
    const ended = await callFlota(['devices', 'list', '--json'], { env: at() });
    expect(failure(ended)).toMatchObject({ status: 2, code: 'login_file_invalid' });
    rmSync(kept());
  }, 120_000);
});

describe('a server', () => {
  const ask = (more: Record<string, string>) =>
    callFlota(['devices', 'list', '--json'], { env: { ...env, ...more } }).then(failure);

  test('that is not there, or that speaks another language, is told from one that refuses', async () => {
    const { port } = new URL(system.stack.url);
    const found = [
      await ask({ FLOTA_URL: `http://127.0.0.1:${closed.port}` }),
      await ask({ FLOTA_URL: `https://127.0.0.1:${port}` }),
      await ask({ FLOTA_URL: system.stack.storeUrl! }),
      await ask({ FLOTA_URL: 'flota.example' }),
      await ask({ FLOTA_TOKEN: 'flota_wrong' }),
      await ask({ FLOTA_TOKEN: 'two\nlines' }),
    ];
    expect(found.map(({ status, code }) => [status, code])).toEqual([
      [4, 'unreachable'],
      [4, 'unreachable'],
      [4, 'not_flota'],
      [2, 'url_invalid'],
      [3, 'token_invalid'],
      [2, 'usage'],
    ]);
    expect(found[1].next).toContain('http://');
  }, 120_000);

  test('with a certificate of a private CA is not trusted, unless Node is told the root', async () => {
    const url = system.stack.deviceStoreUrl!;
    // Node reads them once, when it starts.
    const ask = (more: Record<string, string>) =>
      startFlota(['devices', 'list', '--json'], { env: { ...env, ...more } }).ended.then(failure);
    expect(await ask({ FLOTA_URL: url })).toMatchObject({
      status: 4,
      code: 'tls_untrusted',
      next: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    const root = file('root.pem', system.stack.trust);
    expect(await ask({ FLOTA_URL: url, NODE_EXTRA_CA_CERTS: root })).toMatchObject({ code: 'not_flota' });
  }, 120_000);
});

describe('components and vulnerabilities', () => {
  const sbom = JSON.stringify({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    components: [{ name: 'mbedtls', version: '3.4.0', purl: 'pkg:github/mbed-tls/mbedtls@v3.4.0' }],
  });
  const advisory = (id: string, fixed: string) => ({
    id,
    modified: '2024-08-30T00:00:00Z',
    aliases: [`CVE-${id.slice(4)}`],
    summary: 'A hole',
    affected: [
      {
        package: { ecosystem: 'OSS-Fuzz', name: 'mbedtls' },
        ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed }] }],
      },
    ],
  });

  test('an image with a signed SBOM is taken by devices, and a feed finds them', async () => {
    const app = file('sbom.bin', image('9.9.8'));
    const key = join(system.dataDir, 'firmware-signing-key.pem');
    const made = ['--version', '9.9.8', '--sbom', file('sbom.json', sbom), '--key', key];
    const uploaded = await flota('firmware', 'upload', app, ...made, '--json');
    expect(uploaded).toMatchObject({ status: 0, err: '' });
    const { id } = JSON.parse(uploaded.out);
    const kept = await unwrap(system.rest.api.firmware[':id'].sbom.$get({ param: { id } }));
    expect(kept).toMatchObject({ packages: 1, signed: true });
    const rollOut = [
      'deploy',
      '--version',
      '9.9.8',
      '--device',
      'device-002',
      '--watch',
      '--timeout',
      '5min',
    ];
    expect(await flota(...rollOut)).toMatchObject({ status: 0 });
    const feed = file(
      'feed.jsonl',
      [advisory('OSV-2024-45157', '3.6.1'), advisory('OSV-2024-1', '3.0.0')]
        .map((one) => JSON.stringify(one))
        .join('\n'),
    );
    expect((await flota('cve', 'import', feed)).out).toBe('2 imported, 0 there already, 0 withdrawn\n');
    const idsOf = async (...args: string[]) =>
      JSON.parse((await flota(...args, '--json')).out).map((device: { id: string }) => device.id);
    expect(await idsOf('cve', 'devices', 'CVE-2024-45157')).toEqual(['device-002']);
    expect(await idsOf('components', '--name', 'mbedtls', '--below', '3.6.1')).toEqual(['device-002']);
    expect(await idsOf('components', '--name', 'mbedtls', '--below', '3.4.0')).toEqual([]);
    expect((await flota('cve', 'show', 'CVE-2024-45157')).out).toMatch(/3\.6\.1 +open +1\n/);

    const evidence = join(system.dataDir, 'evidence.json');
    expect((await flota('cve', 'evidence', 'CVE-2024-45157', '--out', evidence)).status).toBe(0);
    const signed = JSON.parse(readFileSync(evidence, 'utf8'));
    const { issuing } = await system.stack.authority.trust();
    expect(readAttested(signed.signature, issuing)?.sha256).toBe(signed.sha256);
    expect(JSON.parse(signed.evidence).devices).toMatchObject([{ device: 'device-002', until: null }]);

    const judged = ['--status', 'not_affected', '--justification', 'vulnerable_code_not_present'];
    expect((await flota('cve', 'state', 'CVE-2024-45157', ...judged)).status).toBe(0);
    expect(JSON.parse((await flota('cve', 'list', '--json')).out)).toEqual([]);
    expect((await flota('cve', 'list', '--all')).out).toMatch(/CVE-2024-45157 +0 +1 +not_affected +mbedtls/);
  }, 120_000);

  test('what is no feed is refused by its line before, or by its entry after the server has seen it', async () => {
    const refused = async (name: string, text: string) =>
      failure(await flota('cve', 'import', file(name, text), '--json'));
    expect(await refused('bad.jsonl', '{}\nnonsense\n')).toMatchObject({
      status: 2,
      code: 'feed_invalid',
      message: expect.stringMatching(/^line 2/),
    });
    expect(await refused('sbom.json', sbom)).toMatchObject({
      status: 3,
      code: 'feed_invalid',
      message: expect.stringMatching(/^Entry 1 is not OSV/),
    });
    expect(failure(await flota('cve', 'import', 'nowhere.zip', '--json'))).toMatchObject({
      code: 'file_unreadable',
    });
  }, 120_000);
});

describe('a fleet file', () => {
  const asAdmin = (args: string[], more: Record<string, string> = {}) =>
    callFlota(args, { env: { ...env, FLOTA_TOKEN: system.stack.apiToken, ...more } });
  const text = `# Who keeps what.
regions:
  Jeju: {timeZone: Asia/Seoul}
groups:
  Pilots: {query: tag = pilot}
policies:
  careful: {waves: [{count: 1}, {percent: 100}], soakMs: 1000}
channels:
  Pager: {kind: slack, url: "$\{PAGER_URL}"}
rules:
  Night: {kinds: [dead_letters, group_matches], region: Jeju, channels: [Pager], watch: {group: Pilots, aboveDevices: 2}}
`;
  const pager = { PAGER_URL: 'https://hooks.example/services/secret' };

  test('is planned, applied once, and taken back without what it has not made', async () => {
    const path = file('fleet.yaml', text);
    const planned = await asAdmin(['plan', '-f', path], pager);
    expect(planned).toMatchObject({
      status: 2,
      err: '',
      out: expect.stringMatching(/^\+ region Jeju\n {4}timeZone: "Asia\/Seoul"\n/),
    });
    expect(planned.out).toContain('5 to create, 0 to change, 0 to remove; ');
    expect(planned.out).not.toContain('secret');
    expect(await asAdmin(['apply', '-f', path], pager)).toMatchObject({
      status: 0,
      out: '5 changes made.\n',
    });
    expect(await asAdmin(['plan', '-f', path], pager)).toMatchObject({ status: 0 });
    const again = await asAdmin(['apply', '-f', path, '--json'], pager);
    expect([again.status, JSON.parse(again.out)]).toEqual([0, { changes: [] }]);

    const app = file('policy.bin', image('9.9.7'));
    expect((await flota('firmware', 'upload', app, '--version', '9.9.7')).status).toBe(0);
    const order = ['deploy', '--version', '9.9.7', '--all', '--dry-run', '--json'];
    const shown = JSON.parse((await flota(...order, '--policy', 'careful')).out);
    expect(failure(await flota(...order, '--policy', 'careless')).code).toBe('policy_unknown');
    expect(shown.waves[0].total).toBe(1);

    file(
      'fleet.yaml',
      text
        .replace('tag = pilot', 'online = yes')
        .replace(/ {2}Jeju.*\n/, '')
        .replace(/rules:[\s\S]*/, ''),
    );
    expect((await asAdmin(['apply', '-f', path], pager)).err).toBe(
      'changed group Pilots\nremoved rule Night\nremoved region Jeju\n',
    );
    const regions = await unwrap(system.rest.api.regions.$get());
    expect(regions.map(({ name }) => name)).toEqual(['Busan', 'Seoul']);
    file('fleet.yaml', '');
    expect(JSON.parse((await asAdmin(['apply', '-f', path, '--json'])).out).changes).toHaveLength(3);
  }, 120_000);

  test('has what is by hardware, and what a group follows and is pinned to', async () => {
    const path = file(
      'settings.yaml',
      `owner: settings
groups:
  One: {query: id = device-001, channel: beta, pinned: 9.9.9}
approvals:
  "*": {aboveDevices: 500}
  esp32-c6: {}
encryption: {esp32-c6: }
`,
    );
    const { approval_rules, groups } = system.rest.api;
    await unwrap(approval_rules.$put({ json: { rules: [{ hardware: 'uno', aboveDevices: 7 }] } }));
    expect((await asAdmin(['apply', '-f', path])).err).toBe(
      'created group One\ncreated approval *\ncreated approval esp32-c6\ncreated encryption esp32-c6\n',
    );
    expect(await asAdmin(['plan', '-f', path])).toMatchObject({ status: 0 });
    const group = async () => (await unwrap(groups.$get())).find(({ name }) => name === 'One')!;
    expect(await group()).toMatchObject({ channel: 'beta', pinned: '9.9.9' });
    expect(await unwrap(approval_rules.$get())).toEqual([
      { hardware: null, aboveDevices: 500 },
      { hardware: 'esp32-c6', aboveDevices: 0 },
      { hardware: 'uno', aboveDevices: 7 },
    ]);
    const { encryption } = system.rest.api;
    expect((await unwrap(encryption.$get())).hardware).toEqual(['esp32-c6']);

    // Somebody has changed some of it by hand.
    const { id } = await group();
    await unwrap(groups[':id'].$patch({ param: { id }, json: { channel: 'stable' } }));
    const planned = await asAdmin(['plan', '-f', path]);
    expect(planned.out).toContain('~ group One\n    channel: "stable" → "beta"\n');
    expect((await asAdmin(['pull', '-f', path])).status).toBe(0);
    expect(readFileSync(path, 'utf8')).toMatch(/channel: stable[\s\S]*uno:/);
    file('settings.yaml', 'owner: settings\ngroups: {One: {query: id = device-001}}\n');
    expect((await asAdmin(['apply', '-f', path])).err).toBe(
      'changed group One\nremoved encryption esp32-c6\nremoved approval *\nremoved approval esp32-c6\n',
    );
    expect(await group()).toMatchObject({ channel: null, pinned: null });
    expect(await unwrap(approval_rules.$get())).toEqual([{ hardware: 'uno', aboveDevices: 7 }]);
    await unwrap(approval_rules.$put({ json: { rules: [] } }));
    file('settings.yaml', 'owner: settings\n');
    expect((await asAdmin(['apply', '-f', path])).err).toBe('removed group One\n');
  }, 120_000);

  test('pulled from the server says what is there; a plan of it has nothing to do, and comments stay', async () => {
    const path = file('pulled.yaml', '# Ours.\nregions:\n  Busan: {timeZone: Europe/Madrid} # by the sea\n');
    expect(await asAdmin(['pull', '-f', path])).toMatchObject({ status: 0 });
    const pulled = readFileSync(path, 'utf8');
    expect(pulled).toMatch(/^# Ours\.\nregions:\n {2}Busan:/);
    expect(pulled).toMatch(/ {2}Seoul:/);
    expect(await asAdmin(['plan', '-f', path])).toMatchObject({ status: 0 });
    expect((await asAdmin(['pull'])).out).toMatch(/^regions:\n/);
  }, 120_000);

  test('with a fault ends a plan with 1, for 2 says that there are changes; what the server refuses says what was done', async () => {
    const path = file('bad.yaml', 'regions:\n  Seoul: {timezone: Asia/Seoul}\n');
    expect(failure(await asAdmin(['plan', '-f', path, '--json']))).toMatchObject({
      status: 1,
      code: 'fleet_file_invalid',
      message: expect.stringContaining('bad.yaml:2:11: regions.Seoul.timezone: '),
    });
    expect((await asAdmin(['plan', '--file'])).status).toBe(1);
    expect((await asAdmin(['apply', '-f', path])).status).toBe(2);
    const wrong = '{kind: webhook, url: "http://169.254.169.254/"}';
    file('bad.yaml', `divisions: {Made: }\nchannels: {Wrong: ${wrong}}\n`);
    const broken = await asAdmin(['apply', '-f', path, '--json']);
    expect(failure(broken)).toMatchObject({
      status: 3,
      code: 'apply_broke_off',
      message: expect.stringMatching(
        /address_refused.*; done: create division Made; not done: create channel Wrong$/,
      ),
    });
    file('bad.yaml', '');
    expect((await asAdmin(['apply', '-f', path])).err).toBe('removed division Made\n');
    // An operator may not.
    file('bad.yaml', 'regions: {Seoul: {timeZone: UTC}}\n');
    expect(failure(await flota('apply', '-f', path, '--json'))).toMatchObject({
      status: 3,
      code: 'forbidden',
    });
  }, 120_000);
});

describe('help and completion', () => {
  test('each command has help with an example, and what is misspelt says where to look', async () => {
    const all = await flota('--help');
    const names = [...all.out.matchAll(/^ {2}([a-z]+(?: [a-z]+)*)(?: [A-Z]+)? {2,}/gm)].map(
      ([, name]) => name!,
    );
    expect(names).toContain('firmware upload');
    for (const name of names) {
      const { status, out } = await flota(...name.split(' '), '--help');
      expect([name, status, out]).toEqual([name, 0, expect.stringContaining(`Examples\n  flota ${name}`)]);
    }
    expect(await flota('firmware')).toMatchObject({
      status: 2,
      err: expect.stringContaining('firmware upload'),
    });
    expect(await flota('deplay')).toMatchObject({ status: 2, err: expect.stringContaining('flota --help') });
  }, 120_000);

  test('bash completes commands, words of a group, options and their values', async () => {
    const script = file('completion.bash', (await flota('completion', 'bash')).out);
    const complete = (...words: string[]) => {
      const set = `COMP_WORDS=(flota ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}`;
      const line = `source '${script}'; ${set}; _flota; printf '%s\n' "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['--norc', '-euc', line], { encoding: 'utf8' }).trim().split('\n');
    };
    expect(complete('de')).toEqual(['deploy', 'deployments', 'devices']);
    expect(complete('firmware', '')).toEqual(['upload', 'list']);
    expect(complete('firmware', 'upload', '--sec')).toEqual(['--security-version']);
    expect(complete('deploy', '--all', '--wa')).toEqual(['--waves', '--watch']);
    expect(complete('devices', 'list', '--online', '')).toEqual(['yes', 'no']);
  }, 120_000);
});
