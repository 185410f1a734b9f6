import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  makeRoot,
  openSigning,
  randomSerial,
  readCertificate,
  type SealedPair,
  type SigningAuthority,
  signIssuing,
  toAuthority,
} from './authorities.ts';
import { CaError } from './client.ts';
import { isThere, placeDirectory, readIfThere, readText } from './hierarchy-files.ts';
import { makeIssuingKey, openIssuingKey } from './issuing-keys.ts';
import type { KmsSettings } from './kms-signer.ts';
import type { Signer } from './signer.ts';

/** An issuing CA of ours: it signs leaves while it is the newest, and the CRL of its own leaves as long as it lives. */
export interface Issuer extends SigningAuthority {
  /** Hex of the key identifier. */
  id: string;
  /** 1 for the first; part of the name of its CRL. */
  number: number;
}

export interface Hierarchy {
  /** PEM. */
  root: string;
  /** Those that have not expired, newest first; never empty. Another process may add one: then it is there a second later. */
  issuers(): Promise<readonly Issuer[]>;
  /** The certificate (PEM) of any issuing CA of ours, expired or not. */
  chainOf(id: string): string | undefined;
  /** Looks again at once. */
  refresh(): Promise<void>;
}

export interface HierarchyOptions {
  dir: string;
  passphrase?: string;
  /** Common name of the root; the issuing CA's is derived from it. */
  name?: string;
  /** Puts something in front of each issuing CA's key: a meter, a limit, or a KMS that holds the same key. */
  wrapSigner?: (signer: Signer) => Signer;
  /** Keys of issuing CAs that are made from now on are this KMS key; those that are in one are always opened there. */
  kms?: KmsSettings;
  now: () => number;
}

const refreshMs = 1_000;

/**
 * Opens the authorities, or makes a root and an issuing CA when there are none. `hierarchy/` has the root and the first issuing CA,
 * `issuers/2/` and so on those that came later; each appears in one rename.
 * @throws CaError passphrase_wrong | hierarchy_damaged | issuer_missing
 */
export async function openHierarchy(options: HierarchyOptions): Promise<Hierarchy> {
  const { dir, now } = options;
  if (!(await hasHierarchy(dir))) {
    if (await isThere(join(dir, 'requested')))
      throw new CaError(
        'issuer_missing',
        'the issuing CA still waits for the root: sign-issuing, then install-issuing',
      );
    await createHierarchy(options);
  }
  const root = await readText(join(dir, 'hierarchy', 'root.pem'));
  let known: Issuer[] = [];
  let lookedAt = 0;

  async function refresh(): Promise<void> {
    lookedAt = performance.now();
    const numbers = await listIssuers(dir);
    const added = numbers.filter((number) => !known.some((issuer) => issuer.number === number));
    const opened = await Promise.all(added.map((number) => openIssuer(options, root, number)));
    known = [...known, ...opened].sort((a, b) => b.number - a.number);
  }

  await refresh();
  if (known.length === 0)
    throw new CaError('issuer_missing', `${dir} has a root and no issuing CA; "rotate" makes one here`);
  return {
    root,
    refresh,
    chainOf: (id) => known.find((issuer) => issuer.id === id)?.certificate,
    async issuers() {
      if (performance.now() - lookedAt > refreshMs) await refresh();
      const live = known.filter((issuer) => issuer.notAfter.getTime() > now());
      return live.length > 0 ? live : known.slice(0, 1);
    },
  };
}

/** False until the first openHierarchy() or createRootOnly() has finished. */
export function hasHierarchy(dir: string): Promise<boolean> {
  return isThere(join(dir, 'hierarchy'));
}

/**
 * A root and nothing else, for a machine that is kept offline.
 * @throws CaError request_invalid when there is a hierarchy
 */
export async function createRootOnly(options: HierarchyOptions): Promise<string> {
  const { dir, passphrase, name = 'Flota', now } = options;
  const { key, certificate } = await makeRoot(name, passphrase, now());
  if (!(await placeDirectory(join(dir, 'hierarchy'), { 'root.pem': certificate, 'root.key': key })))
    throw new CaError('request_invalid', `${dir} has a root already`);
  return certificate;
}

/** @throws CaError root_missing when its key is not kept here */
export async function openRoot(dir: string, passphrase: string | undefined): Promise<SigningAuthority> {
  const key = await readIfThere(join(dir, 'hierarchy', 'root.key'));
  if (key === undefined) throw new CaError('root_missing', `the root's key is not in ${dir}`);
  return openSigning(await readText(join(dir, 'hierarchy', 'root.pem')), key, passphrase);
}

export function issuingName(name: string, number: number, now: number): string {
  const year = new Date(now).getUTCFullYear();
  return `${name} Issuing CA ${year}${number === 1 ? '' : ` G${number}`}`;
}

export function issuerHome(dir: string, number: number): string {
  return join(dir, ...(number === 1 ? ['hierarchy'] : ['issuers', String(number)]));
}

/** Numbers of the issuing CAs that are there. */
export async function listIssuers(dir: string): Promise<number[]> {
  const later = await readdir(join(dir, 'issuers')).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const first = (await isThere(join(dir, 'hierarchy', 'issuing.key'))) ? [1] : [];
  return [...first, ...later.filter((name) => /^\d{1,6}$/.test(name)).map(Number)].sort((a, b) => a - b);
}

async function createHierarchy(options: HierarchyOptions): Promise<void> {
  const { dir, passphrase, name = 'Flota', now } = options;
  const root = await makeRoot(name, passphrase, now());
  const issuing = await makeIssuing(root.authority, issuingName(name, 1, now()), options);
  // False: another process was quicker, and its hierarchy is the one.
  await placeDirectory(join(dir, 'hierarchy'), {
    'root.pem': root.certificate,
    'root.key': root.key,
    'issuing.pem': issuing.certificate,
    'issuing.key': issuing.key,
  });
}

async function makeIssuing(
  root: SigningAuthority,
  commonName: string,
  options: HierarchyOptions,
): Promise<SealedPair> {
  const { signer, kept } = await makeIssuingKey(options);
  const wanted = { serial: randomSerial(), commonName, publicKey: signer.publicKey };
  return { certificate: await signIssuing(root, wanted, options.now()), key: kept };
}

async function openIssuer(options: HierarchyOptions, root: string, number: number): Promise<Issuer> {
  const home = issuerHome(options.dir, number);
  const [certificate, key] = await Promise.all(
    ['issuing.pem', 'issuing.key'].map((file) => readText(join(home, file))),
  );
  const authority = toAuthority(certificate ?? '', await openIssuingKey(key ?? '', options.passphrase));
  if (!readCertificate(authority.certificate).verify(readCertificate(root).publicKey))
    throw new CaError('hierarchy_damaged', `root.pem did not sign the issuing CA ${number}`);
  const signer = options.wrapSigner?.(authority.signer) ?? authority.signer;
  return { ...authority, signer, number, id: Buffer.from(authority.keyId).toString('hex') };
}
