/** Certificates for a whole production run, and the devices registered on the way. */
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CaError, type CertificateAuthority } from './client.ts';
import { replaceFile } from './durable-files.ts';
import { makeRequest } from './key-pair.ts';
import { splitPem } from './pem.ts';
import type { Output } from './progress.ts';
import { showProgress } from './progress.ts';
import type { PlannedDevice } from './provision-list.ts';
import type { Registry } from './registration.ts';

export interface ProvisionOptions {
  authority: CertificateAuthority;
  devices: PlannedDevice[];
  /** One directory a device: cert.pem, and key.pem where the key was made here; ca.pem for all. */
  out: string;
  registry?: Registry;
  progress: Output;
  /** Aborted: what is under way is finished, the rest is left for the next run. */
  stop: AbortSignal;
}

export interface ProvisionResult {
  made: number;
  /** Had been finished by an earlier run. */
  before: number;
  failed: number;
  left: number;
}

const concurrency = 16;

/**
 * Each device in four steps: key and request are written, the certificate is issued, both are registered, and cert.pem is
 * written last. So whatever ends the run, the next one leaves what has its cert.pem alone, and repeats the rest with the same
 * request: the same certificate, and registrations that are there already.
 */
export async function provision(options: ProvisionOptions): Promise<ProvisionResult> {
  const { authority, devices, out, registry, stop } = options;
  await mkdir(out, { recursive: true });
  const { root, issuing } = await authority.trust();
  await replaceFile(join(out, 'ca.pem'), root + issuing);
  const open: PlannedDevice[] = [];
  for (const device of devices) if (!(await isFinished(out, device))) open.push(device);
  const before = devices.length - open.length;
  const progress = showProgress(options.progress, devices.length, before);
  const counts = { made: 0, failed: 0 };
  const queue = open.values();

  async function work(): Promise<void> {
    for (const device of queue) {
      try {
        await make(device);
        counts.made += 1;
        progress.advance();
      } catch (error) {
        if (!(error instanceof CaError)) throw error;
        counts.failed += 1;
        progress.note(`line ${device.line}: ${device.id}: ${error.message} (${error.code})`);
      }
      if (stop.aborted) return;
    }
  }

  async function make(device: PlannedDevice): Promise<void> {
    const home = join(out, device.id);
    await mkdir(home, { recursive: true });
    const csr = device.csr || (await keepRequest(home, device.id));
    const issued = await authority.issue({ csr, profile: 'device', commonName: device.id });
    await registry?.register(device, issued.certificate);
    await replaceFile(join(home, 'cert.pem'), issued.certificate + issued.chain);
  }

  try {
    await Promise.all(Array.from({ length: concurrency }, work));
  } finally {
    progress.end();
  }
  return { ...counts, before, left: open.length - counts.made - counts.failed };
}

/** The key is on disk before anything is signed for it; the request with it, so that asking again is asking the same. */
async function keepRequest(home: string, id: string): Promise<string> {
  const [key, csr] = await Promise.all(
    ['key.pem', 'request.pem'].map((file) => readIfThere(join(home, file))),
  );
  if (key && csr) return csr;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const request = makeRequest(privateKey, id);
  await replaceFile(
    join(home, 'key.pem'),
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    0o600,
  );
  await replaceFile(join(home, 'request.pem'), request);
  return request;
}

async function isFinished(out: string, device: PlannedDevice): Promise<boolean> {
  const home = join(out, device.id);
  const [chain, key] = await Promise.all(
    ['cert.pem', 'key.pem'].map((file) => readIfThere(join(home, file))),
  );
  const [leaf] = splitPem(chain ?? '');
  if (!leaf) return false;
  try {
    const certificate = new X509Certificate(leaf);
    if (Date.parse(certificate.validTo) <= Date.now()) return false;
    return device.csr !== '' || (key !== undefined && certificate.checkPrivateKey(createPrivateKey(key)));
  } catch {
    return false;
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
