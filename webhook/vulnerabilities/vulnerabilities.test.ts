/** From an SBOM and a feed to the devices that are concerned, what is judged of it, and evidence; and what is refused on the way. */
import { createHash, randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { readAttested } from '#ca/client.ts';
import { until } from '#deploy/lab/primitives/until.ts';
import { readManifest } from '../firmware/firmware.ts';
import { verifyManifest } from '../firmware/signer.ts';
import { maxSbomBytes } from '../sbom/sbom.ts';
import { apiToken, type Json, type TestDevice } from '../testing.ts';
import { startSuite } from '../testing-suite.ts';
import { issuingCertificate } from '../testing-witness.ts';

const { database, webhook } = await startSuite();
const { api } = webhook;
const authorization = `Bearer ${apiToken}`;
const octets = { authorization, 'content-type': 'application/octet-stream' };

let numbers = 10_000;
const newCve = () => `CVE-2031-${numbers++}`;
const newName = () => `lib-${randomUUID().slice(0, 8)}`;
const sbomOf = (name: string, version: string) =>
  JSON.stringify({
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    components: [{ name, version }, { name: 'unversioned' }, { name: 'odd', version: '1', purl: 'pkg:::' }],
  });
const putSbom = (id: string, document: string) => api('PUT', `/api/firmware/${id}/sbom`, document, octets);
const advisory = (vulnerability: string, name: string, fixed: string, more: object = {}) => ({
  id: `OSV-${vulnerability}`,
  modified: '2031-01-02T00:00:00Z',
  aliases: [vulnerability],
  summary: `A hole in ${name}`,
  affected: [
    {
      package: { ecosystem: 'OSS-Fuzz', name },
      ranges: [{ type: 'SEMVER', events: [{ introduced: '0' }, { fixed }] }],
    },
  ],
  ...more,
});
const importFeed = (...advisories: unknown[]) => api('POST', '/api/vulnerabilities/feed', { advisories });
const get = async (path: string): Promise<Json> => {
  const answer = await api('GET', path);
  expect([answer.status, answer.body?.detail]).toEqual([200, undefined]);
  return answer.body;
};
const idsOf = async (path: string) => (await get(path)).items.map(({ id }: Json) => id);

/** Two images of one library, and devices that attest them. */
async function fleet(versions: [string, string] = ['1.4.0', '1.6.0']) {
  const [name, vulnerability] = [newName(), newCve()];
  const hardware = `h${randomUUID().slice(0, 8)}`;
  const images = [await webhook.firmware({ hardware }), await webhook.firmware({ hardware })] as const;
  for (const [i, image] of images.entries()) await putSbom(image.id, sbomOf(name, versions[i]!));
  const devices = (await Promise.all([1, 2, 3].map(() => webhook.device({ hardware })))) as TestDevice[];
  return { name, vulnerability, images, devices: devices.sort((a, b) => (a.id < b.id ? -1 : 1)) };
}
async function attest(device: TestDevice, image: { sha256: string }, boot: number) {
  await device.boot(image.sha256, [boot, 1]);
  await until(
    'the report',
    async () => (await get(`/api/devices/${device.id}`)).running[0]?.sha256 === image.sha256,
  );
}

describe('an SBOM', () => {
  test('is kept as it came, and its digest is in the signed manifest', async () => {
    const { id, sha256: image } = await webhook.firmware();
    const document = sbomOf('mbedtls', '3.4.0');
    const sha256 = createHash('sha256').update(document).digest('hex');
    const { status, body } = await putSbom(id, document);
    expect([status, body]).toMatchObject([
      200,
      { format: 'cyclonedx', sha256, packages: 3, unversioned: 1, badPurls: 1, signed: true },
    ]);
    expect(
      [...webhook.objects.objects].some(
        ([key, kept]) => key.endsWith('/sbom') && kept.toString() === document,
      ),
    ).toBe(true);
    expect((await get(`/api/firmware/${id}/sbom/document`)).url).toContain('/sbom?');
    expect((await get(`/api/firmware/${id}/packages`)).items[0]).toEqual({
      name: 'mbedtls',
      version: '3.4.0',
      purl: null,
      cpe: null,
    });
    const { manifest } = (await sentTo(id)).body;
    const claims = readManifest(manifest);
    expect(claims).toMatchObject({ sbom: sha256, sha256: image });
    await verifyManifest(manifest, claims, webhook.signer.keys);
  });

  async function sentTo(firmwareId: string) {
    const device = await webhook.device();
    await device.subscribe();
    await webhook.deploy(firmwareId, device);
    return until('the command', () => device.requests()[0]);
  }

  test('that another takes the place of is told apart from what is signed, where nobody here signs', async () => {
    const { id } = await webhook.firmware();
    const first = (await putSbom(id, sbomOf('a', '1'))).body;
    const manifest = await webhook.signer.sign({ ...(await manifestOf(id)), sbom: 'f'.repeat(64) });
    expect((await api('PUT', `/api/firmware/${id}/manifest`, { manifest })).status).toBe(200);
    expect(await get(`/api/firmware/${id}/sbom`)).toEqual({ ...first, signed: false });
  });

  async function manifestOf(id: string) {
    const { component, hardware, version, securityVersion, fileName, sizeBytes, sha256 } = await get(
      `/api/firmware/${id}`,
    );
    return { component, hardware, version, securityVersion, fileName, size: sizeBytes, sha256 };
  }

  test('of 50 MB is refused before it is read, also when its length is not told', async () => {
    const { id } = await webhook.firmware();
    const url = `${webhook.copy.url}/api/firmware/${id}/sbom`;
    let sent = 0;
    const body = new ReadableStream({
      pull(controller) {
        sent += 1;
        if (sent > 50) controller.close();
        else controller.enqueue(new Uint8Array(1024 * 1024).fill(32));
      },
    });
    const streamed = await fetch(url, {
      method: 'PUT',
      headers: octets,
      body,
      duplex: 'half',
    } as RequestInit)
      .then(async (answer) => [answer.status, ((await answer.json()) as Json).code])
      // Node's client may see the connection close before it has read why, or in the middle of that.
      .catch(() => null);
    if (streamed) expect(streamed).toEqual([413, 'body_too_large']);
    expect(sent).toBeLessThan(50);
    const told = await putSbom(id, ' '.repeat(maxSbomBytes + 1));
    expect([told.status, told.body.code]).toEqual([413, 'body_too_large']);
  });

  test('that cannot be read is refused and changes nothing; so is one of no firmware, and one that comes as another type', async () => {
    const { id } = await webhook.firmware();
    const before = (await putSbom(id, sbomOf('a', '1'))).body;
    for (const document of ['{}', '[', '{"bomFormat":"CycloneDX","bomFormat":"CycloneDX"}', ''])
      expect([document, (await putSbom(id, document)).body.code]).toEqual([document, 'sbom_invalid']);
    expect(await get(`/api/firmware/${id}/sbom`)).toEqual(before);
    expect((await putSbom(randomUUID(), sbomOf('a', '1'))).body.code).toBe('not_found');
    expect((await api('PUT', `/api/firmware/${id}/sbom`, {})).body.code).toBe('unsupported_media_type');
    const other = `/api/firmware/${(await webhook.firmware()).id}/sbom`;
    expect(await get(other)).toBeNull();
    expect((await api('GET', `${other}/document`)).body.code).toBe('not_found');
    expect((await api('GET', `/api/firmware/${randomUUID()}/sbom`)).body.code).toBe('not_found');
  });
});

describe('a feed', () => {
  test('counts a device with two components that have it once, in the list as on its page', async () => {
    const { name, vulnerability, images, devices } = await fleet(['1.4.0', '1.4.1']);
    const [main, sensor] = images;
    await database.db.execute(sql`update firmwares set component = 'sensor' where id = ${sensor.id}`);
    for (const device of devices.slice(0, 2)) await attest(device, main, 1);
    for (const { id } of devices.slice(1))
      await database.db.execute(sql`
        insert into components (device_id, component, version, sha256, security_version, boot_seq, seq_number, reported_at)
        values (${id}, 'sensor', '1.0.0', ${sensor.sha256}, 0, 1, 1, now())`);
    await importFeed(advisory(vulnerability, name, '1.5.0'));
    const { findings } = await get(`/api/vulnerabilities/${vulnerability}`);
    expect(findings.map((one: Json) => one.devices)).toEqual([2, 2]);
    expect((await get(`/api/vulnerabilities/${vulnerability}/devices`)).total).toBe(3);
    expect((await get(`/api/vulnerabilities?search=${vulnerability}`)).items).toMatchObject([{ devices: 3 }]);
  });

  test('finds which devices attest what it is about, whichever of SBOM and feed comes first', async () => {
    const { name, vulnerability, images, devices } = await fleet();
    const [bad, good] = images;
    for (const [i, device] of devices.entries()) await attest(device, i < 2 ? bad : good, 1);
    expect((await importFeed(advisory(vulnerability, name, '1.5.0'))).body).toEqual({
      imported: 1,
      unchanged: 0,
      withdrawn: 0,
    });
    expect(await get(`/api/vulnerabilities?search=${vulnerability}`)).toEqual({
      items: [
        {
          vulnerability,
          summary: `A hole in ${name}`,
          severity: null,
          packages: [name],
          firmwares: 1,
          devices: 2,
          statuses: { open: 1 },
        },
      ],
      total: 1,
      next: null,
    });
    const detail = await get(`/api/vulnerabilities/${vulnerability}`);
    expect(detail.findings).toMatchObject([
      { firmwareId: bad.id, package: name, version: '1.4.0', fixedIn: '1.5.0', status: null, devices: 2 },
    ]);
    expect(await idsOf(`/api/vulnerabilities/${vulnerability}/devices`)).toEqual([
      devices[0]!.id,
      devices[1]!.id,
    ]);
    expect(await idsOf(`/api/vulnerabilities/${vulnerability}/devices?limit=1&offset=1`)).toEqual([
      devices[1]!.id,
    ]);
    // What a device attests counts, not what was once there.
    await attest(devices[0]!, good, 2);
    expect(await idsOf(`/api/vulnerabilities/${vulnerability}/devices`)).toEqual([devices[1]!.id]);

    const later = await webhook.firmware();
    await putSbom(later.id, sbomOf(name.toUpperCase(), 'v1.0.0'));
    expect(await get(`/api/firmware/${later.id}/vulnerabilities`)).toMatchObject([
      { vulnerability, fixedIn: '1.5.0' },
    ]);
    await putSbom(later.id, sbomOf(name, '1.5.0'));
    expect(await get(`/api/firmware/${later.id}/vulnerabilities`)).toEqual([]);
  });

  test('may be brought in again: what is newer counts, what is withdrawn goes', async () => {
    const { name, vulnerability, images } = await fleet();
    const found = async () => (await get(`/api/firmware/${images[0].id}/vulnerabilities`)).length;
    const first = advisory(vulnerability, name, '1.5.0');
    expect((await importFeed(first, first)).body).toEqual({ imported: 1, unchanged: 0, withdrawn: 0 });
    expect((await importFeed(first)).body).toEqual({ imported: 0, unchanged: 1, withdrawn: 0 });
    expect(await found()).toBe(1);
    const newer = { ...advisory(vulnerability, name, '1.4.0'), modified: '2031-02-02T00:00:00Z' };
    expect((await importFeed(newer)).body).toMatchObject({ imported: 1 });
    expect(await found()).toBe(0);
    // One that is older than what is there changes nothing.
    expect((await importFeed(first)).body).toMatchObject({ unchanged: 1 });
    expect(await found()).toBe(0);
    expect((await importFeed({ ...newer, withdrawn: '2031-03-01T00:00:00Z' })).body).toMatchObject({
      withdrawn: 1,
    });
    expect((await api('GET', `/api/vulnerabilities/${vulnerability}`)).body.code).toBe('not_found');
  });

  test.each<[string, unknown]>([
    ['an SBOM', JSON.parse(sbomOf('a', '1'))],
    ['a CVE record of the CVE project', { dataType: 'CVE_RECORD', cveMetadata: { cveId: 'CVE-2024-1' } }],
    ['a time that is none', { id: 'X-1', modified: 'yesterday' }],
    [
      'a range of another type',
      { ...advisory('CVE-2024-1', 'a', '1'), affected: [{ ranges: [{ type: 'DATE', events: [] }] }] },
    ],
    ['a word', 'advisory'],
    [
      'more values than any has',
      {
        id: 'X-1',
        modified: '2024-01-01T00:00:00Z',
        affected: Array(20).fill({ versions: Array(11_000).fill('1') }),
      },
    ],
  ])('with %s in it is refused whole, and says which entry', async (_, entry) => {
    const good = advisory(newCve(), newName(), '2.0.0');
    const { status, body } = await importFeed(good, entry);
    expect([status, body.code, body.detail]).toEqual([
      422,
      'feed_invalid',
      expect.stringMatching(/^Entry 2/),
    ]);
    expect((await api('GET', `/api/vulnerabilities/${good.aliases[0]}`)).body.code).toBe('not_found');
  });
});

test('a version that many packages have is compared once with an advisory of very many versions', async () => {
  const [name, vulnerability] = [newName(), newCve()];
  const image = await webhook.firmware();
  const components = Array.from({ length: 3_000 }, (_, n) => ({ name, version: '9.9.9', cpe: `${n}` }));
  await putSbom(image.id, JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', components }));
  const versions = Array.from({ length: 20_000 }, (_, n) => `v1.${n}`);
  const affected = [{ package: { ecosystem: 'OSS-Fuzz', name }, versions }];
  const before = process.cpuUsage();
  expect((await importFeed(advisory(vulnerability, name, '0', { affected }))).status).toBe(200);
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1e6).toBeLessThan(2);
});

describe('what is judged', () => {
  test('of one firmware goes before what is judged of all, the newest holds, and none is lost', async () => {
    const { name, vulnerability, images, devices } = await fleet(['1.4.0', '1.4.1']);
    for (const [i, device] of devices.entries()) await attest(device, images[i % 2]!, 1);
    await importFeed(advisory(vulnerability, name, '1.5.0'));
    const path = `/api/vulnerabilities/${vulnerability}`;
    const state = (body: object) => api('POST', `${path}/statements`, body);
    expect((await state({ firmwareId: null, status: 'under_investigation' })).status).toBe(204);
    const harmless = {
      status: 'not_affected',
      justification: 'vulnerable_code_not_in_execute_path',
      note: 'Never called.',
    };
    await state({ firmwareId: images[0].id, ...harmless });
    expect(await idsOf(`${path}/devices`)).toEqual([devices[1]!.id]);
    const [summary] = (await get(`/api/vulnerabilities?search=${vulnerability}`)).items;
    expect(summary).toMatchObject({ devices: 1, statuses: { not_affected: 1, under_investigation: 1 } });
    await state({ firmwareId: null, status: 'fixed', note: 'Patched in the build.' });
    expect((await get(`/api/vulnerabilities?search=${vulnerability}`)).total).toBe(0);
    expect((await get(`/api/vulnerabilities?state=all&search=${vulnerability}`)).total).toBe(1);
    await state({ firmwareId: images[0].id, status: 'affected' });
    expect(await idsOf(`${path}/devices`)).toEqual([devices[0]!.id, devices[2]!.id]);
    expect((await get(path)).statements).toHaveLength(4);
  });

  test('needs a reason where it says that there is no danger, and something that it is about', async () => {
    const { name, vulnerability } = await fleet();
    await importFeed(advisory(vulnerability, name, '1.5.0'));
    const state = async (body: object, of = vulnerability) =>
      (await api('POST', `/api/vulnerabilities/${of}/statements`, body)).body.code;
    expect(await state({ firmwareId: null, status: 'not_affected' })).toBe('invalid_request');
    expect(await state({ firmwareId: null, status: 'fixed', justification: 'component_not_present' })).toBe(
      'invalid_request',
    );
    expect(await state({ firmwareId: null, status: 'fine' })).toBe('invalid_request');
    expect(await state({ firmwareId: randomUUID(), status: 'affected' })).toBe('unknown_reference');
    expect(await state({ firmwareId: null, status: 'affected' }, newCve())).toBe('not_found');
  });

  test('may come as a document, whole or not at all', async () => {
    const { name, vulnerability, images } = await fleet();
    await importFeed(advisory(vulnerability, name, '1.5.0'));
    const vex = (document: object) =>
      api('POST', `/api/firmware/${images[0].id}/vex`, JSON.stringify(document), octets);
    const statement = {
      vulnerability: { name: vulnerability },
      status: 'fixed',
      status_notes: 'Backported.',
    };
    const document = {
      '@context': 'https://openvex.dev/ns/v0.2.0',
      author: 'Maker',
      statements: [statement],
    };
    const wrong = { ...statement, status: 'harmless' };
    expect((await vex({ ...document, statements: [statement, wrong] })).body.code).toBe('vex_invalid');
    expect((await get(`/api/vulnerabilities/${vulnerability}`)).statements).toEqual([]);
    expect((await vex(document)).body).toEqual({ statements: 1 });
    expect((await get(`/api/vulnerabilities/${vulnerability}`)).findings).toMatchObject([
      { status: 'fixed', note: 'Backported.', author: 'Maker' },
    ]);
  });
});

test('devices are found by a package and the versions below one', async () => {
  const { name, images, devices } = await fleet(['1.9.0', '1.10.0']);
  for (const [i, device] of devices.entries()) await attest(device, images[i % 2]!, 1);
  const path = `/api/packages/devices?name=${name}`;
  expect(await idsOf(path)).toEqual(devices.map(({ id }) => id));
  expect(await idsOf(`${path}&below=1.10.0`)).toEqual([devices[0]!.id, devices[2]!.id]);
  expect(await idsOf(`${path}&below=1.9.0`)).toEqual([]);
  expect(await idsOf('/api/packages/devices?name=nobody-has-it')).toEqual([]);
  expect(await get(`/api/packages?search=${name}`)).toEqual({
    items: [
      { name, version: '1.10.0', firmwares: 1 },
      { name, version: '1.9.0', firmwares: 1 },
    ],
    total: 2,
    next: null,
  });
});

test('evidence says who had it from when to when and when it was gone, and the CA signs just that', async () => {
  const { name, vulnerability, images, devices } = await fleet();
  const [bad, good] = images;
  await importFeed(advisory(vulnerability, name, '1.5.0'));
  const deploy = async (image: Json, device: TestDevice) => {
    await device.subscribe();
    const { id } = await webhook.deploy(image.id, device);
    await until('the command', () => device.requests().find(({ body }) => body.deployment === id));
    await device.accept(id);
    await device.result(id, image.sha256);
    await until('the success', async () => (await webhook.target(id, device)).state === 'succeeded');
    return id;
  };
  // Delivered with it, as nobody knows since when.
  await attest(devices[0]!, bad, 1);
  const [brought] = [await deploy(bad, devices[1]!)];
  const make = async () => (await api('POST', `/api/vulnerabilities/${vulnerability}/evidence`)).body;
  const early = JSON.parse((await make()).evidence);
  expect(early.summary).toEqual({ devicesEver: 2, devicesNow: 2, goneAt: null });

  // The last one takes a second person's word.
  const mended = [await deploy(good, devices[0]!)];
  const setRules = (rules: object[]) => api('PUT', '/api/approval_rules', { rules });
  await setRules([{ hardware: null, aboveDevices: 0 }]);
  const person = { email: 'second@example.com', password: 'a long passphrase' };
  await api('POST', '/api/users', { ...person, role: 'operator' });
  const login = await api('POST', '/api/login', person, {});
  const second = { cookie: login.headers.get('set-cookie')!.split(';')[0]! };
  const approved = deploy(good, devices[1]!);
  await until('its approval', async () => {
    const [waiting] = (await api('GET', '/api/approvals', undefined, second)).body;
    if (!waiting) return false;
    const at = `/api/deployments/${waiting.id}`;
    const { digest } = (await api('GET', `${at}/approval`, undefined, second)).body;
    return (await api('POST', `${at}/approve`, { digest, reason: 'Urgent' }, second)).status === 202;
  });
  mended.push(await approved);
  await setRules([]);
  const signed = await make();
  expect(createHash('sha256').update(signed.evidence).digest('hex')).toBe(signed.sha256);
  expect(readAttested(signed.signature, issuingCertificate)).toMatchObject({
    sha256: signed.sha256,
    at: signed.signedAt,
  });
  const evidence = JSON.parse(signed.evidence);
  const ends = evidence.devices.map(({ until }: Json) => until).sort();
  expect(evidence).toMatchObject({
    vulnerability,
    summary: { devicesEver: 2, devicesNow: 0, goneAt: ends.at(-1) },
    devices: [
      { device: devices[0]!.id, firmwareId: bad.id, from: null, until: expect.stringMatching(/Z$/) },
      {
        device: devices[1]!.id,
        firmwareId: bad.id,
        from: expect.stringMatching(/Z$/),
        until: expect.stringMatching(/Z$/),
      },
    ],
    firmwares: [{ id: bad.id, sha256: bad.sha256, author: 'api-token' }],
  });
  expect(evidence.deployments.map(({ id, brings }: Json) => [id, brings])).toEqual([
    [brought, true],
    [mended[0], false],
    [mended[1], false],
  ]);
  const decision = { outcome: 'approved', by: person.email, reason: 'Urgent' };
  expect(evidence.deployments.map(({ approval }: Json) => approval)).toEqual([
    null,
    null,
    {
      rule: { hardware: null, aboveDevices: 0 },
      decision: { ...decision, at: expect.stringMatching(/Z$/), digest: expect.any(String) },
    },
  ]);
  const { items } = await get(`/api/audit?subject=${vulnerability}`);
  expect(items[0]).toMatchObject({ action: 'vulnerability.evidence', detail: { sha256: signed.sha256 } });

  webhook.authority.away = true;
  const away = await api('POST', `/api/vulnerabilities/${vulnerability}/evidence`);
  webhook.authority.away = false;
  expect([away.status, away.body.code]).toEqual([503, 'ca_unavailable']);
});
