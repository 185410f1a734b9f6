import { X509Certificate } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '#deploy/lab/primitives/until.ts';
import { Bench } from './bench/bench.ts';
import { createCsr } from './csr.ts';
import { DeviceFault } from './device.ts';
import { createKey, enroll, type Identity } from './identity.ts';

let bench: Bench;
beforeEach(async () => {
  bench = await Bench.open();
});
afterEach(async () => {
  await bench.close();
  expect(bench.broker.violations).toEqual([]);
});

const dayMs = 24 * 3600 * 1000;
const nearItsEnd = { ageMs: 80 * dayMs, leftMs: 2 * dayMs };

const identity = (of: Bench): Identity => JSON.parse(fs.readFileSync(join(of.dir, 'identity.json'), 'utf8'));
const serialOf = (certificate: string) => new X509Certificate(certificate).serialNumber;

/** Answers renewal requests like the webhook, the same CSR always with the same certificate. */
function answerRenewals(of: Bench, issued = new Map<string, string>()) {
  const answered = new Set<unknown>();
  const timer = setInterval(() => {
    for (const { id, csr } of of.broker.of('cert/renew/request')) {
      if (answered.has(id)) continue;
      answered.add(id);
      void (async () => {
        const { pki } = of.shared;
        const certificate = issued.get(String(csr)) ?? (await pki.issue(String(csr)));
        issued.set(String(csr), certificate);
        of.broker.send('cert/renew/response', { request: String(id), certificate, chain: pki.issuing });
      })();
    }
  }, 5);
  return { issued, stop: () => clearInterval(timer) };
}

describe('a certificate near its end', () => {
  test('is renewed over MQTT, and the device comes back with the new one', async () => {
    await bench.enroll(nearItsEnd);
    const old = serialOf(identity(bench).certificate);
    const oldKey = identity(bench).key;
    const { stop } = answerRenewals(bench);
    try {
      await bench.online({ timing: { renewRetryMs: 60_000 } });
      await until('the renewal', () => bench.broker.serials.length >= 2 && identity(bench).pending === null);
    } finally {
      stop();
    }
    expect(bench.broker.serials[0]).toBe(old);
    expect(bench.broker.serials.at(-1)).toBe(serialOf(identity(bench).certificate));
    expect(serialOf(identity(bench).certificate)).not.toBe(old);
    expect(identity(bench).key).not.toBe(oldKey);
    expect(bench.broker.of('cert/renew/request')).toHaveLength(1);
    await until('an empty outbox', () => bench.device.snapshot().outboxMessages === 0);
  });

  test('is renewed although the power goes between any two of the steps', async () => {
    const replay = async (kind: string, n: number): Promise<Map<string, number>> => {
      const own = await Bench.open();
      const { stop } = answerRenewals(own);
      try {
        await own.enroll(nearItsEnd);
        const old = serialOf(identity(own).certificate);
        const writes = new Map<string, number>();
        const device = await own.start({
          onDiskWrite: (what) => {
            const count = (writes.get(what) ?? 0) + 1;
            writes.set(what, count);
            if (what === kind && count === n) device.powerCut();
          },
        });
        await until(
          `the renewal with the power cut at ${kind}, number ${n}`,
          () => identity(own).pending === null && serialOf(identity(own).certificate) !== old,
        );
        await until('the device to be online', () => device.snapshot().online);
        await until(
          'the new serial',
          () => own.broker.serials.at(-1) === serialOf(identity(own).certificate),
        );
        expect(own.broker.violations).toEqual([]);
        return writes;
      } finally {
        stop();
        await own.close();
      }
    };
    const kinds = await replay('nothing', 0);
    const cuts = [...kinds]
      .filter(([kind]) => /identity|journal/.test(kind))
      .flatMap(([kind, count]) => Array.from({ length: count }, (_, n) => [kind, n + 1] as const));
    // Asked, answered, taken into use; asked again where the answer was slow.
    expect(cuts.filter(([kind]) => kind === 'rename identity.json').length).toBeGreaterThanOrEqual(3);
    const next = cuts.values();
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (const [kind, n] of next) await replay(kind, n);
      }),
    );
  }, 120_000);

  test('is kept when the new one does not connect', async () => {
    await bench.enroll(nearItsEnd);
    const old = serialOf(identity(bench).certificate);
    await bench.online({ timing: { renewRetryMs: 60_000 } });
    const request = await bench.broker.see('cert/renew/request');
    const certificate = await bench.shared.pki.issue(String(request.csr));
    bench.broker.refused.add(serialOf(certificate));
    bench.broker.send('cert/renew/response', {
      request: String(request.id),
      certificate,
      chain: bench.shared.pki.issuing,
    });
    await until('the fallback', () => bench.logs.some((line) => line.includes('does not connect')));
    await until('the device to be online', () => bench.device.snapshot().online);
    expect(serialOf(identity(bench).certificate)).toBe(old);
    expect(identity(bench).pending).toBeNull();
    expect(bench.broker.serials.every((serial) => serial === old)).toBe(true);
  });

  test('is kept when the answer holds a certificate of another key, or a refusal', async () => {
    await bench.enroll(nearItsEnd);
    const old = serialOf(identity(bench).certificate);
    await bench.online();
    const { pki } = bench.shared;
    const request = await bench.broker.see('cert/renew/request');
    const foreign = await pki.issue(createCsr(createKey(), 'dev-1'));
    bench.broker.send('cert/renew/response', {
      request: String(request.id),
      certificate: foreign,
      chain: pki.issuing,
    });
    await until('the refusal', () =>
      bench.logs.some((line) => line.includes('the certificate is not for this key')),
    );
    const again = await bench.broker.see('cert/renew/request', (it) => it.id !== request.id);
    expect(again.csr).toBe(request.csr);
    bench.broker.send('cert/renew/response', {
      request: String(again.id),
      error: { code: 'csr_key_refused' },
    });
    const third = await bench.broker.see('cert/renew/request', (it) => it.csr !== request.csr);
    expect(third.id).not.toBe(again.id);
    expect(serialOf(identity(bench).certificate)).toBe(old);
  });
});

describe('enrolment', () => {
  const input = () => ({
    dir: bench.dir,
    id: 'dev-1',
    url: 'https://flota.example',
    token: 'once',
    fsync: false,
  });

  test('sends a CSR and the token, and keeps key, certificate and chain in one file', async () => {
    const seen: { url: string; authorization: string | null; csr: string }[] = [];
    const answer = await enroll({
      ...input(),
      fetch: async (url, init) => {
        const { csr } = JSON.parse(String(init?.body)) as { csr: string };
        seen.push({ url: String(url), authorization: new Headers(init?.headers).get('authorization'), csr });
        return Response.json({
          certificate: await bench.shared.pki.issue(csr),
          chain: bench.shared.pki.issuing,
        });
      },
    });
    expect(answer).toEqual({ enrolled: true });
    expect(seen).toMatchObject([
      { url: 'https://flota.example/api/issue_cert', authorization: 'Bearer once' },
    ]);
    expect(identity(bench)).toMatchObject({ chain: bench.shared.pki.issuing, pending: null });
    expect(fs.statSync(join(bench.dir, 'identity.json')).mode & 0o077).toBe(0);
    expect(fs.readdirSync(bench.dir)).toEqual(['identity.json']);
    expect(await enroll({ ...input(), fetch: () => Promise.reject(new Error('not again')) })).toEqual({
      enrolled: false,
    });
  });

  test('whose answer was lost asks again with the very same CSR', async () => {
    const csrs: string[] = [];
    const ask = (answer: (csr: string) => Promise<Response>) =>
      enroll({
        ...input(),
        fetch: (_url, init) => {
          const { csr } = JSON.parse(String(init?.body)) as { csr: string };
          csrs.push(csr);
          return answer(csr);
        },
      });
    await expect(ask(() => Promise.reject(new Error('reset')))).rejects.toMatchObject({
      code: 'enroll_failed',
    });
    await expect(
      ask(async () => Response.json({ detail: 'token used' }, { status: 403 })),
    ).rejects.toMatchObject({ code: 'enroll_refused', message: 'enrolment refused: token used' });
    await ask(async (csr) =>
      Response.json({ certificate: await bench.shared.pki.issue(csr), chain: bench.shared.pki.issuing }),
    );
    expect(new Set(csrs).size).toBe(1);
  });

  test('does not take a certificate for somebody else', async () => {
    const { pki } = bench.shared;
    const certificate = await pki.issue(createCsr(createKey(), 'dev-2'));
    const enrolled = enroll({
      ...input(),
      fetch: async () => Response.json({ certificate, chain: pki.issuing }),
    });
    await expect(enrolled).rejects.toThrow(DeviceFault);
    expect(fs.existsSync(join(bench.dir, 'identity.json'))).toBe(false);
  });

  test('brings an expired device back with the key that it had', async () => {
    await bench.enroll({ ageMs: 10 * dayMs, leftMs: -dayMs });
    const { key, certificate } = identity(bench);
    await bench.enroll();
    expect(identity(bench).key).toBe(key);
    expect(identity(bench).certificate).not.toBe(certificate);
  });
});
