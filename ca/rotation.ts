/**
 * A new issuing CA beside the old ones. Its key is made where it will be used; the root, wherever that is, sees only its request:
 * requestIssuing() online, signIssuingRequest() at the root, installIssuing() online again.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { randomSerial, readCertificate, signIssuing, toAuthority } from './authorities.ts';
import { CaError } from './client.ts';
import { readRequest } from './csr.ts';
import { createFile } from './durable-files.ts';
import { type HierarchyOptions, issuerHome, issuingName, listIssuers, openRoot } from './hierarchy.ts';
import { isThere, placeDirectory, readIfThere, readText } from './hierarchy-files.ts';
import { makeIssuingKey, openIssuingKey } from './issuing-keys.ts';
import { makeRequestBy } from './key-pair.ts';
import { withLock } from './lock.ts';

/** Our signers are P-256 with SHA-256. */
const issuingKeys = { curves: ['P-256' as const], rsaBits: null };

/** The request (PEM) of the issuing CA that is to come; the same one until its certificate is installed. */
export async function requestIssuing(options: HierarchyOptions): Promise<string> {
  const { dir, name = 'Flota', now } = options;
  const home = join(dir, 'requested');
  const earlier = await readIfThere(join(home, 'issuing.csr'));
  if (earlier) return earlier;
  const { signer, kept } = await makeIssuingKey(options);
  const numbers = await listIssuers(dir);
  for (const number of numbers) {
    const certificate = await readText(join(issuerHome(dir, number), 'issuing.pem'));
    const spki = readCertificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
    // Certificates and CRLs are told apart by the issuer's key.
    if (spki.equals(signer.publicKey))
      throw new CaError(
        'config_invalid',
        `issuing CA ${number} has this key already: a new one needs its own`,
      );
  }
  const csr = await makeRequestBy(signer, issuingName(name, (numbers.at(-1) ?? 0) + 1, now()));
  await placeDirectory(home, { 'issuing.key': kept, 'issuing.csr': csr });
  return readText(join(home, 'issuing.csr'));
}

/**
 * The root signs an issuing CA's request. What it has signed is kept under `signed/`, the request before the signature is made.
 * @throws CaError csr_* | name_invalid | root_missing | passphrase_wrong
 */
export async function signIssuingRequest(options: HierarchyOptions & { csr: string }): Promise<string> {
  const { dir, passphrase, csr, now } = options;
  const request = await readRequest(csr, issuingKeys);
  if (!/^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/.test(request.commonName))
    throw new CaError('name_invalid', 'an issuing CA cannot have this common name');
  if (request.names.length > 0)
    throw new CaError('csr_name_refused', 'an issuing CA has no alternative names');
  const root = await openRoot(dir, passphrase);
  const serial = randomSerial();
  const kept = join(dir, 'signed', serial.toString('hex').toUpperCase());
  await createFile(`${kept}.csr`, csr);
  const wanted = { serial, commonName: request.commonName, publicKey: request.publicKey };
  const certificate = await signIssuing(root, wanted, now());
  await createFile(`${kept}.pem`, certificate);
  return certificate;
}

export interface Installation extends HierarchyOptions {
  /** What the root has signed, PEM. */
  certificate: string;
  /** PEM; needed for the first issuing CA, afterwards it must be the one that is known. */
  root?: string;
}

/**
 * From now on leaves come from this issuing CA; the ones before it stay trusted, and keep publishing their CRLs, until they expire.
 * @throws CaError issuing_mismatch | request_invalid | passphrase_wrong
 */
export function installIssuing(options: Installation): Promise<{ number: number }> {
  const { dir, certificate, now } = options;
  return withLock(dir, async () => {
    const key = await readIfThere(join(dir, 'requested', 'issuing.key'));
    if (key === undefined) throw new CaError('request_invalid', 'there is no request that this could answer');
    const known = await readIfThere(join(dir, 'hierarchy', 'root.pem'));
    const root = known ?? options.root;
    if (!root)
      throw new CaError('request_invalid', "the first issuing CA needs the root's certificate (--root)");
    if (
      known &&
      options.root &&
      readCertificate(known).fingerprint256 !== readCertificate(options.root).fingerprint256
    )
      throw new CaError('issuing_mismatch', 'this root is not the one that is known here');
    checkIssuing(certificate, root, now());
    try {
      toAuthority(certificate, await openIssuingKey(key, options.passphrase));
    } catch (error) {
      if (error instanceof CaError && error.code === 'hierarchy_damaged')
        throw new CaError('issuing_mismatch', 'the certificate is not for the key that was requested');
      throw error;
    }
    const number = ((await listIssuers(dir)).at(-1) ?? (known ? 1 : 0)) + 1;
    const files = { 'issuing.pem': certificate, 'issuing.key': key };
    if (known) await placeDirectory(join(dir, 'issuers', String(number)), files);
    else await placeDirectory(join(dir, 'hierarchy'), { 'root.pem': root, ...files });
    await rm(join(dir, 'requested'), { recursive: true });
    return { number };
  });
}

/**
 * All three steps where the root's key is at hand.
 * @throws CaError root_missing
 */
export async function rotate(options: HierarchyOptions): Promise<{ number: number }> {
  if (!(await isThere(join(options.dir, 'hierarchy', 'root.key'))))
    throw new CaError(
      'root_missing',
      "the root's key is not here: request-issuing, sign-issuing at the root, install-issuing",
    );
  const csr = await requestIssuing(options);
  return installIssuing({ ...options, certificate: await signIssuingRequest({ ...options, csr }) });
}

function checkIssuing(pem: string, rootPem: string, now: number): void {
  const [issuing, root] = [readCertificate(pem), readCertificate(rootPem)];
  const fits =
    root.ca &&
    issuing.ca &&
    issuing.checkIssued(root) &&
    issuing.verify(root.publicKey) &&
    root.verify(root.publicKey);
  if (!fits)
    throw new CaError('issuing_mismatch', 'the root did not sign this certificate, or it is not one of a CA');
  if (Date.parse(issuing.validTo) <= now)
    throw new CaError('issuing_mismatch', 'the certificate has expired');
}
