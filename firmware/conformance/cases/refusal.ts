import { strict as assert } from 'node:assert';
import { until } from '#deploy/lab/primitives/until.ts';
import { FileServer } from '../../virtual/bench/file-server.ts';
import { createPki } from '../../virtual/bench/pki.ts';
import type { Case } from '../case.ts';
import { kib, type Rig } from '../rig.ts';

/** The request must be refused with the code, once however often it comes, and nothing downloaded. */
function refuses(name: string, code: string, ask: (rig: Rig) => Promise<void>, short?: true): Case {
  return {
    name: `${name} is refused with ${code}`,
    ...(short && { short }),
    async run(rig) {
      await rig.start();
      await ask(rig);
      await ask(rig);
      assert.equal(await rig.refusal(), code);
      await rig.settle();
      assert.equal(rig.broker.of('firmware/download/request/ack').length, 1);
      assert.equal(rig.files.requests.length, 0, 'it downloaded something');
      assert.equal(rig.broker.of('firmware/download/result').length, 0);
    },
  };
}

export const refusalCases: Case[] = [
  refuses('a signature by a stranger', 'signature_invalid', async (rig) => {
    const manifest = rig.publish();
    const jws = await rig.lab.stranger.sign(manifest);
    // With the name of the key that is trusted.
    const header = Buffer.from(JSON.stringify({ alg: 'ES256', kid: rig.lab.key.kid })).toString('base64url');
    await rig.request(manifest, { manifest: [header, ...jws.split('.').slice(1)].join('.') });
  }),
  refuses('a key that nobody has heard of', 'signature_invalid', async (rig) => {
    const manifest = rig.publish();
    await rig.request(manifest, { manifest: await rig.lab.stranger.sign(manifest) });
  }),
  refuses(
    'a manifest changed after it was signed',
    'signature_invalid',
    async (rig) => {
      const manifest = rig.publish();
      const [header, , signature] = (await rig.lab.key.sign(manifest)).split('.');
      const payload = Buffer.from(JSON.stringify({ ...manifest, version: '9.9.9' })).toString('base64url');
      await rig.request(manifest, { manifest: `${header}.${payload}.${signature}` });
    },
    true,
  ),
  refuses('an unsigned manifest (alg none)', 'signature_invalid', async (rig) => {
    const manifest = rig.publish();
    const header = Buffer.from(JSON.stringify({ alg: 'none', kid: rig.lab.key.kid })).toString('base64url');
    const payload = Buffer.from(JSON.stringify(manifest)).toString('base64url');
    await rig.request(manifest, { manifest: `${header}.${payload}.` });
  }),
  refuses('a good signature under a key id that nobody has heard of', 'signature_invalid', async (rig) => {
    const manifest = rig.publish();
    await rig.request(manifest, { manifest: rig.signWith({ alg: 'ES256', kid: 'another' }, manifest) });
  }),
  refuses('a good signature that calls itself by another algorithm', 'signature_invalid', async (rig) => {
    const manifest = rig.publish();
    await rig.request(manifest, { manifest: rig.signWith({ alg: 'ES384', kid: rig.lab.key.kid }, manifest) });
  }),
  refuses('a good signature whose header must be understood (crit)', 'signature_invalid', async (rig) => {
    const manifest = rig.publish();
    const header = { alg: 'ES256', kid: rig.lab.key.kid, crit: ['exp'], exp: 1 };
    await rig.request(manifest, { manifest: rig.signWith(header, manifest) });
  }),
  refuses('what is no JWS', 'manifest_invalid', (rig) =>
    rig.request(rig.publish(), { manifest: 'manifest' }),
  ),
  refuses('a manifest for other hardware', 'hardware_mismatch', (rig) =>
    rig.request(rig.publish(200 * kib, { hardware: 'toaster' })),
  ),
  refuses('a manifest for another component', 'component_unknown', (rig) =>
    rig.request(rig.publish(200 * kib, { component: 'radio' })),
  ),
  refuses('an image larger than a slot', 'size_mismatch', (rig) =>
    rig.request(rig.publish(200 * kib, { size: 1024 * 1024 * kib })),
  ),
  refuses(
    'a plain http: URL',
    'url_refused',
    (rig) => rig.request(rig.publish(), { url: 'http://127.0.0.1:1/image.bin' }),
    true,
  ),
  refuses('a request without its manifest', 'bad_request', (rig) =>
    rig.request(rig.publish(), { manifest: undefined }),
  ),
  {
    name: 'a downgrade of the security version is refused',
    async run(rig) {
      await rig.start();
      const manifest = rig.publish(64 * kib, { securityVersion: 5 });
      await rig.request(manifest);
      await rig.succeeds(manifest);
      const older = rig.publish(65 * kib, { securityVersion: 4, version: '2.0.0' });
      await rig.request(older, { attempt: 2 });
      const ack = await rig.ack((it) => it.attempt === 2);
      assert.equal((ack.error as { code: string } | undefined)?.code, 'downgrade_refused');
    },
  },
  {
    name: 'messages that make no sense are survived and change nothing',
    async run(rig) {
      await rig.start();
      const texts = [
        '',
        '{',
        '[]',
        'null',
        '{"id":1}',
        '\u0000',
        `{"x":"${'x'.repeat(70_000)}"}`,
        '[['.repeat(900),
      ];
      for (const topic of ['firmware/download/request', 'firmware/download/cancel', 'ack', 'control/command'])
        for (const text of texts) rig.broker.sendRaw(topic, text);
      await rig.settle();
      const manifest = rig.publish(64 * kib);
      await rig.request(manifest);
      await rig.succeeds(manifest);
    },
  },
  {
    name: 'a file server by a name that its certificate does not have is not trusted',
    async run(rig) {
      await rig.start();
      const alias = await rig.openAlias(rig.files.port);
      try {
        const manifest = rig.publish(64 * kib);
        await rig.request(manifest, { url: rig.files.url().replace('127.0.0.1', alias.host) });
        await rig.ack((it) => it.accepted === true);
        await until('two tries', () => alias.connections() >= 2);
        assert.equal(rig.files.requests.length, 0, 'it asked a server that may be another');
        await rig.request(manifest, { attempt: 2 });
        await rig.succeeds(manifest, 2);
      } finally {
        alias.close();
      }
    },
  },
  {
    name: 'a broker by a name that its certificate does not have is not trusted',
    async run(rig) {
      const alias = await rig.openAlias(rig.broker.port);
      try {
        rig.device.powerOn(['--mqtt-url', rig.broker.url.replace('127.0.0.1', alias.host)]);
        await until('three tries', () => alias.connections() >= 3, 15_000);
        assert.equal(rig.broker.serials.length, 0, 'it connected to a broker that may be another');
        await rig.device.powerOff();
        await rig.start();
      } finally {
        alias.close();
      }
    },
  },
  {
    name: 'a file server under another CA is not trusted',
    async run(rig) {
      await rig.start();
      const impostor = await FileServer.start(await (await createPki()).server());
      try {
        const manifest = rig.publish(64 * kib);
        impostor.image = rig.files.image;
        await rig.request(manifest, { url: impostor.url() });
        await rig.ack((it) => it.accepted === true);
        await rig.settle();
        await new Promise((resolve) => setTimeout(resolve, 300));
        assert.equal(impostor.requests.length, 0, 'it spoke to a server that it cannot know');
        await rig.request(manifest);
        await rig.succeeds(manifest);
      } finally {
        await impostor.close();
      }
    },
  },
];
