import { strict as assert } from 'node:assert';
import { X509Certificate } from 'node:crypto';
import { until } from '#deploy/lab/primitives/until.ts';
import { makeKey } from '../../signing/key.ts';
import type { Case } from '../case.ts';
import { type Rig, startCa, tokenRefused } from '../rig.ts';

const dayMs = 24 * 3600 * 1000;
const nearItsEnd = { ageMs: 355 * dayMs, leftMs: 10 * dayMs };
const requestTopic = 'cert/renew/request';

/** Enrols the device with a certificate that is about to expire, which is returned. */
async function startAged(rig: Rig): Promise<X509Certificate> {
  const ca = await startCa(rig.lab, nearItsEnd);
  rig.forget();
  try {
    await rig.start(ca.options);
    return new X509Certificate(ca.last());
  } finally {
    await ca.close();
  }
}

/** Signs the newest CSR; the answer is the serial of the new certificate. */
async function answer(rig: Rig, options: { withhold?: boolean; chain?: string } = {}): Promise<string> {
  await rig.broker.see(requestTopic, () => true, 15_000);
  const request = rig.broker.of(requestTopic).at(-1)!;
  const certificate = await rig.lab.pki.issue(String(request.csr));
  const { serialNumber } = new X509Certificate(certificate);
  if (options.withhold) rig.broker.refused.add(serialNumber);
  rig.broker.send('cert/renew/response', {
    request: String(request.id),
    certificate,
    chain: options.chain ?? rig.lab.pki.issuing,
  });
  return serialNumber;
}

const connectsWith = (rig: Rig, serial: string) =>
  until(`a connection with ${serial}`, () => rig.broker.serials.at(-1) === serial, 15_000);

export const certificateCases: Case[] = [
  {
    name: 'a certificate near its end is renewed with a new key, and used',
    short: true,
    async run(rig) {
      await startAged(rig);
      const old = rig.broker.serials.at(-1)!;
      const serial = await answer(rig);
      assert.notEqual(serial, old);
      await connectsWith(rig, serial);
      await rig.settle();
      await rig.device.powerOff();
      await rig.start();
      assert.equal(rig.broker.serials.at(-1), serial, 'after a restart it uses the old one');
      assert.equal(rig.broker.of(requestTopic).length, 1, 'it asks again for what it has');
    },
  },
  {
    name: 'a token that is refused is told in the words of the server, and enrols nobody',
    async run(rig) {
      const ca = await startCa(rig.lab);
      rig.forget();
      try {
        rig.device.powerOn([...ca.options.slice(0, -1), 'of-another-device']);
        await until('the refusal', () => rig.device.output.includes(tokenRefused), 15_000);
        assert.equal(ca.issued(), 0);
        assert.equal(rig.broker.serials.length, 0, 'it connects all the same');
        await rig.device.powerOff();
        await rig.start(ca.options);
      } finally {
        await ca.close();
      }
    },
  },
  {
    name: 'a renewal is for a key of its own',
    async run(rig) {
      const old = await startAged(rig);
      const request = await rig.broker.see(requestTopic, () => true, 15_000);
      const renewed = new X509Certificate(await rig.lab.pki.issue(String(request.csr)));
      assert.ok(!renewed.publicKey.equals(old.publicKey), 'it asks for the old key');
    },
  },
  {
    name: 'a certificate that is not for its key is not used',
    async run(rig) {
      await startAged(rig);
      const old = rig.broker.serials.at(-1)!;
      const request = await rig.broker.see(requestTopic);
      const other = await rig.lab.pki.server();
      rig.broker.send('cert/renew/response', {
        request: String(request.id),
        certificate: other.certificate,
        chain: rig.lab.pki.issuing,
      });
      await rig.settle();
      rig.broker.kick();
      await rig.online();
      assert.equal(rig.broker.serials.at(-1), old);
    },
  },
  {
    name: 'a chain that cannot be read is not stored, and one with a key in it brings no key',
    short: true,
    async run(rig) {
      await startAged(rig);
      const old = rig.broker.serials.at(-1)!;
      const torn = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
      await answer(rig, { chain: rig.lab.pki.issuing + torn });
      await rig.settle();
      rig.broker.kick();
      await rig.online();
      assert.equal(rig.broker.serials.at(-1), old, 'it uses what it cannot read');
      await until('another request', () => rig.broker.of(requestTopic).length >= 2, 15_000);
      await connectsWith(rig, await answer(rig, { chain: makeKey() + rig.lab.pki.issuing }));
    },
  },
  {
    name: 'the old certificate stays when the new one does not connect',
    async run(rig) {
      await startAged(rig);
      const old = rig.broker.serials.at(-1)!;
      const count = rig.broker.subscriptions.length;
      await answer(rig, { withhold: true });
      await rig.online(count);
      assert.equal(rig.broker.serials.at(-1), old);
      // Another one is asked for, with another key.
      await until('another request', () => rig.broker.of(requestTopic).length >= 2, 15_000);
      const csrs = rig.broker.of(requestTopic).map((it) => it.csr);
      assert.equal(new Set(csrs).size, csrs.length);
      await connectsWith(rig, await answer(rig));
    },
  },
  {
    name: 'a refused request is made again later',
    async run(rig) {
      await startAged(rig);
      const first = await rig.broker.see(requestTopic);
      rig.broker.send('cert/renew/response', {
        request: String(first.id),
        error: { code: 'csr_key_refused' },
      });
      await until('another request', () => rig.broker.of(requestTopic).length >= 2, 15_000);
      await connectsWith(rig, await answer(rig));
    },
  },
  {
    name: 'a kill -9 at every storage write of a renewal leaves a pair that connects',
    async run(rig) {
      for (let write = 1, died = true; died; write++) {
        await rig.device.powerOff();
        await startAged(rig);
        await rig.device.powerOff();
        const before = rig.device.deaths;
        const { serials } = rig.broker;
        const old = serials.at(-1)!;
        rig.broker.received.length = 0;
        // Random kills for a device that cannot kill itself.
        rig.device.powerOn(rig.lab.killsItself ? ['--kill-at-write', String(write)] : []);
        const deadline = Date.now() + 20_000;
        for (let answered = 0; serials.at(-1) === old || answered === 0; ) {
          assert.ok(
            Date.now() < deadline,
            `write ${write}: never renewed\n${rig.device.output.slice(-1500)}`,
          );
          const requests = rig.broker.of(requestTopic).length;
          if (requests > answered) {
            answered = requests;
            await answer(rig);
          }
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        await rig.settle();
        died = rig.lab.killsItself ? rig.device.deaths > before : write < 5;
        assert.ok(write < 100, 'there is no end of writes');
      }
    },
  },
];
