/** Certificates for a whole production run, and the devices registered on the way. */
import { createHash, createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
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
  /** One directory a device: cert.pem, and key.pem where the key was made here; ca.pem and manifest.csv for all. */
  out: string;
  registry?: Registry;
  extra?: ExtraFile;
  progress: Output;
  /** Aborted: what is under way is finished, the rest is left for the next run. */
  stop: AbortSignal;
}

/** One more file in the directory of each device whose key was made here; it is readable by its owner alone. */
export interface ExtraFile {
  name: string;
  /** PEM texts; `certificates` leaf first, without the root. */
  make(id: string, made: { key: string; certificates: string }): Uint8Array;
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
  const { authority, devices, out, registry, extra, stop } = options;
  await mkdir(out, { recursive: true });
  const { root, issuing } = await authority.trust();
  await replaceFile(join(out, 'ca.pem'), root + issuing);
  const open: PlannedDevice[] = [];
  for (const device of devices) if (!(await isFinished(out, device, extra))) open.push(device);
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
    const own = device.csr ? null : await keepRequest(home, device.id);
    const csr = own?.csr ?? device.csr;
    const issued = await authority.issue({ csr, profile: 'device', commonName: device.id });
    await registry?.register(device, issued.certificate);
    const certificates = issued.certificate + issued.chain;
    if (own && extra)
      await replaceFile(join(home, extra.name), extra.make(device.id, { key: own.key, certificates }), 0o600);
    await replaceFile(join(home, 'cert.pem'), certificates);
  }

  try {
    await Promise.all(Array.from({ length: concurrency }, work));
  } finally {
    progress.end();
  }
  await replaceFile(join(out, 'manifest.csv'), await describe(out, devices, extra));
  return { ...counts, before, left: open.length - counts.made - counts.failed };
}

/** The key is on disk before anything is signed for it; the request with it, so that asking again is asking the same. */
async function keepRequest(home: string, id: string): Promise<{ key: string; csr: string }> {
  const [key, csr] = await Promise.all(
    ['key.pem', 'request.pem'].map((file) => readIfThere(join(home, file))),
  );
  if (key && csr) return { key, csr };
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const made = {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    csr: makeRequest(privateKey, id),
  };
  await replaceFile(join(home, 'key.pem'), made.key, 0o600);
  await replaceFile(join(home, 'request.pem'), made.csr);
  return made;
}

async function isFinished(out: string, device: PlannedDevice, extra?: ExtraFile): Promise<boolean> {
  const home = join(out, device.id);
  // A device with a key of its own gets no extra file.
  if (extra && device.csr === '' && !existsSync(join(home, extra.name))) return false;
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

/** What was made for each device that is finished, from the files themselves: so it is whole after any number of runs. */
async function describe(out: string, devices: PlannedDevice[], extra?: ExtraFile): Promise<string> {
  const lines = [['id', 'serial', 'not_after', 'key', ...(extra ? ['file', 'sha256'] : [])].join(',')];
  for (const { id, csr } of devices) {
    const [leaf] = splitPem((await readIfThere(join(out, id, 'cert.pem'))) ?? '');
    if (!leaf) continue;
    const { serialNumber, validTo } = new X509Certificate(leaf);
    const columns = [id, serialNumber, new Date(validTo).toISOString(), csr ? 'device' : 'here'];
    const bytes = extra && (await readFile(join(out, id, extra.name)).catch(() => null));
    if (extra)
      columns.push(...(bytes ? [extra.name, createHash('sha256').update(bytes).digest('hex')] : ['', '']));
    lines.push(columns.join(','));
  }
  return `${lines.join('\n')}\n`;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
