/** Certificates per second, from CSR to PEM, against the bare signature work in them. */
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openAuthority } from '#ca/authority.ts';
import { makeRequest } from '#ca/key-pair.ts';
import { type Figures, median } from './figures.ts';

/** As many as wait for each other's fsync in a renewal storm. */
const concurrency = 256;
const warmUp = 1_000;
const certificates = 2_000;
const rounds = 5;

/**
 * The baseline is a WebCrypto verify and sign of the same size, with keys imported beforehand and as many at a time: the work that no CA
 * can save. The CA adds importing the CSR's key, checks, encoding, and two durable records a certificate. A second is one of processor
 * time, of all threads together: what one core can do, whatever else keeps the machine and its disk busy.
 */
export async function measureCa(): Promise<Figures> {
  const dir = await mkdtemp(join(tmpdir(), 'flota-bench-ca-'));
  try {
    const authority = await openAuthority({ dir });
    const requests = Array.from({ length: warmUp + certificates * rounds }, (_, index) => {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const commonName = `dev-${index}`;
      return { csr: makeRequest(privateKey, commonName), profile: 'device' as const, commonName };
    });
    const issueNext = () => authority.issue(requests.pop()!);
    const pair = await preparePair();
    await perSecond(warmUp, issueNext);
    await perSecond(warmUp, pair);
    // In turns, so that a neighbour's load falls on both; the medians are compared.
    const [issued, raw, single]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < rounds; round += 1) {
      raw.push(await perSecond(certificates, pair));
      single.push(await perSecond(certificates, pair, 1));
      issued.push(await perSecond(certificates, issueNext));
    }
    const figure = (baselines: number[]) => {
      const [value, baseline] = [median(issued), median(baselines)];
      const unit = 'certificates per second of one core';
      const ratio = Number((value / baseline).toFixed(3));
      return { value: Math.round(value), unit, baseline: Math.round(baseline), ratio, aim: null };
    };
    // WebCrypto answers more pairs a second when many are asked for at once; against one after the other the CA looks better.
    return { 'ca.issue': figure(raw), 'ca.issue_against_one_at_a_time': figure(single) };
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function preparePair(): Promise<() => Promise<void>> {
  const { subtle } = webcrypto;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const { privateKey, publicKey } = await subtle.generateKey(algorithm, false, ['sign', 'verify']);
  // About what is signed in a CSR, and in a certificate.
  const [request, certificate] = [new Uint8Array(120), new Uint8Array(420)];
  const signature = await subtle.sign(algorithm, privateKey, request);
  return async () => {
    if (!(await subtle.verify(algorithm, publicKey, signature, request))) throw new Error('verify failed');
    await subtle.sign(algorithm, privateKey, certificate);
  };
}

async function perSecond(count: number, run: () => Promise<unknown>, atOnce = concurrency): Promise<number> {
  let left = count;
  const started = process.cpuUsage();
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await run();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  const { user, system } = process.cpuUsage(started);
  return (count * 1_000_000) / (user + system);
}
