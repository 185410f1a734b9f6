import { createHash, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { distinguishedName, signCertificate } from './certificate.ts';
import { CaError } from './client.ts';
import { syncDirectory, writeSynced } from './durable-files.ts';
import { authorityKeyIdentifier, basicConstraints, keyUsage, subjectKeyIdentifier } from './extensions.ts';
import { openPrivateKey, sealPrivateKey } from './private-keys.ts';
import { keyIdentifier, localSigner, type Signer } from './signer.ts';

const day = 86_400_000;
const rootLifetimeMs = 20 * 365 * day;
const issuingLifetimeMs = 10 * 365 * day;
const staleMs = 3_600_000;

export interface Issuer {
  signer: Signer;
  subject: pkijs.RelativeDistinguishedNames;
  keyId: Uint8Array<ArrayBuffer>;
  notAfter: Date;
}

export interface Hierarchy {
  /** PEM. */
  root: string;
  issuing: string;
  /** The key that signs leaves and CRLs. */
  issuer: Issuer;
}

export interface HierarchyOptions {
  dir: string;
  passphrase?: string;
  /** Common name of the root; the issuing CA's is derived from it. */
  name?: string;
  now: () => number;
}

/**
 * Opens the two authorities, or makes them when there are none. They are written into a directory beside the final one, which
 * then gets its name in one rename: whatever kills the process leaves nothing or everything.
 * @throws CaError passphrase_wrong | hierarchy_damaged
 */
export async function openHierarchy(options: HierarchyOptions): Promise<Hierarchy> {
  const home = join(options.dir, 'hierarchy');
  if (!(await exists(home))) {
    await mkdir(options.dir, { recursive: true, mode: 0o700 });
    await removeStale(options.dir);
    await createHierarchy(home, options);
  }
  const [root, issuing, keyPem] = await Promise.all(
    ['root.pem', 'issuing.pem', 'issuing.key'].map((file) => readHome(home, file)),
  );
  return load(root ?? '', issuing ?? '', keyPem ?? '', options.passphrase);
}

/** False until the first openHierarchy() has finished. */
export function hasHierarchy(dir: string): Promise<boolean> {
  return exists(join(dir, 'hierarchy'));
}

async function createHierarchy(home: string, options: HierarchyOptions): Promise<void> {
  const files = await makeFiles(options);
  const draft = `${home}.${randomBytes(6).toString('hex')}.new`;
  await mkdir(draft, { mode: 0o700 });
  for (const [file, content] of Object.entries(files)) {
    await writeSynced(join(draft, file), content, file.endsWith('.key') ? 0o600 : 0o644);
  }
  await syncDirectory(draft);
  try {
    await rename(draft, home);
  } catch (error) {
    await rm(draft, { recursive: true });
    // Another process was quicker: its hierarchy is the one.
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
  await syncDirectory(options.dir);
}

async function makeFiles({
  passphrase,
  name = 'Flota',
  now,
}: HierarchyOptions): Promise<Record<string, string>> {
  const at = now();
  const notBefore = new Date(at - 300_000);
  const rootKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const issuingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  const rootSigner = localSigner(rootKey);
  const issuingSigner = localSigner(issuingKey);
  const rootName = distinguishedName({ commonName: `${name} Root CA` });
  const rootId = keyIdentifier(publicKeyBits(rootSigner.publicKey));
  // RFC 5280 §4.2.1.9: one issuing CA below the root, and none below that.
  const root = await signCertificate(
    {
      serial: randomSerial(),
      issuer: rootName,
      subject: rootName,
      publicKey: rootSigner.publicKey,
      notBefore,
      notAfter: new Date(at + rootLifetimeMs),
      extensions: [
        basicConstraints({ pathLength: 1 }),
        keyUsage(['keyCertSign', 'cRLSign']),
        subjectKeyIdentifier(rootId),
      ],
    },
    rootSigner,
  );
  const issuing = await signCertificate(
    {
      serial: randomSerial(),
      issuer: rootName,
      subject: distinguishedName({ commonName: `${name} Issuing CA ${new Date(at).getUTCFullYear()}` }),
      publicKey: issuingSigner.publicKey,
      notBefore,
      notAfter: new Date(at + issuingLifetimeMs),
      extensions: [
        basicConstraints({ pathLength: 0 }),
        keyUsage(['digitalSignature', 'keyCertSign', 'cRLSign']),
        subjectKeyIdentifier(keyIdentifier(publicKeyBits(issuingSigner.publicKey))),
        authorityKeyIdentifier(rootId),
      ],
    },
    rootSigner,
  );
  return {
    'root.pem': root.pem,
    'root.key': await sealPrivateKey(rootKey, passphrase),
    'issuing.pem': issuing.pem,
    'issuing.key': await sealPrivateKey(issuingKey, passphrase),
  };
}

function load(root: string, issuing: string, keyPem: string, passphrase: string | undefined): Hierarchy {
  const signer = localSigner(openPrivateKey(keyPem, passphrase));
  try {
    const certificate = new X509Certificate(issuing);
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    if (!spki.equals(signer.publicKey)) throw new Error('issuing.key is not the key of issuing.pem');
    if (!certificate.verify(new X509Certificate(root).publicKey))
      throw new Error('root.pem did not sign issuing.pem');
    const parsed = new pkijs.Certificate({ schema: asn1.fromBER(new Uint8Array(certificate.raw)).result });
    const keyId = keyIdentifier(publicKeyBits(signer.publicKey));
    return {
      root,
      issuing,
      issuer: { signer, subject: parsed.subject, keyId, notAfter: parsed.notAfter.value },
    };
  } catch (cause) {
    throw new CaError('hierarchy_damaged', `the CA's files do not fit: ${(cause as Error).message}`, {
      cause,
    });
  }
}

async function readHome(home: string, file: string): Promise<string> {
  try {
    return await readFile(join(home, file), 'utf8');
  } catch (cause) {
    throw new CaError('hierarchy_damaged', `${file} cannot be read`, { cause });
  }
}

/** Half-written drafts of processes that were killed; younger ones may belong to somebody who is still at it. */
async function removeStale(dir: string): Promise<void> {
  for (const entry of await readdir(dir)) {
    if (!/^hierarchy\.[0-9a-f]{12}\.new$/.test(entry)) continue;
    const { mtimeMs } = await stat(join(dir, entry));
    if (Date.now() - mtimeMs > staleMs) await rm(join(dir, entry), { recursive: true, force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** 128 random bits (RFC 5280 §4.1.2.2 wants a positive number); never a leading zero octet, so the hex has always 32 digits. */
export function randomSerial(): Buffer {
  for (;;) {
    const serial = randomBytes(16);
    if (serial[0] !== 0) return serial;
  }
}

/** The BIT STRING of a SubjectPublicKeyInfo, which key identifiers are made from. */
export function publicKeyBits(spki: Uint8Array<ArrayBuffer>): Uint8Array {
  const info = new pkijs.PublicKeyInfo({ schema: asn1.fromBER(spki).result });
  return info.subjectPublicKey.valueBlock.valueHexView;
}

/** SHA-256 of a certificate's DER, lower-case hex. */
export function fingerprintOf(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
}
