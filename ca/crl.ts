import { readFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import * as pkijs from 'pkijs';
import { ecdsaWithSha256, positiveInteger, signTbs, time } from './certificate.ts';
import { type PublishedCrl, revocationReasons } from './client.ts';
import { replaceFile } from './durable-files.ts';
import { authorityKeyIdentifier, crlNumber, issuingDistributionPoint, reasonCode } from './extensions.ts';
import type { Hierarchy, Issuer } from './hierarchy.ts';
import { withLock } from './lock.ts';
import { encodePem } from './pem.ts';
import type { CertificateStore, Revocation } from './store.ts';

const day = 86_400_000;
/** Long, because the broker refuses every handshake once it has no valid CRL. */
export const crlLifetimeMs = 14 * day;
/** It is made anew after this time even if nothing was revoked. */
export const crlRefreshMs = day;

export interface CrlContext {
  dir: string;
  hierarchy: Hierarchy;
  store: CertificateStore;
  crlUrl?: string;
  now: () => number;
}

/** The number of a CRL and when it was made, beside the PEM that is published. */
interface CrlState {
  number: number;
  thisUpdate: number;
  pem: string;
  /** Which it names as its own; of one that was made for another, a new one is due. */
  address?: string;
}

export interface CrlPublisher {
  /** Those on disk as they are, with when they were made (ms since 1970). */
  read(): Promise<(PublishedCrl & { madeAt: number })[]>;
  /** One for each issuing CA that lives, the newest CA first: those on disk, or new ones when they are a day old. */
  current(): Promise<PublishedCrl[]>;
  /** Makes new ones now. */
  publish(): Promise<PublishedCrl[]>;
}

/** `crl.pem` is the first issuing CA's, `crl-2.pem` the second's: in a directory, and at the addresses that certificates name. */
export function crlAddress(address: string, number: number): string {
  if (number === 1) return address;
  const { dir, name, ext } = posix.parse(address);
  return `${dir ? `${dir}/` : ''}${name}-${number}${ext}`;
}

/** Keeps `crl.pem` and its successors under dir, static files for any web server. */
export function createCrlPublisher(context: CrlContext): CrlPublisher {
  const path = (number: number, ext: string) => join(context.dir, crlAddress(`crl.${ext}`, number));

  const addressOf = (issuer: Issuer) => context.crlUrl && crlAddress(context.crlUrl, issuer.number);

  /** @param kept a younger one than this is left as it is; null: none is */
  async function make(issuer: Issuer, kept: number | null): Promise<PublishedCrl> {
    const now = context.now();
    const previous = await readState(path(issuer.number, 'json'));
    const address = addressOf(issuer);
    if (
      previous?.address === address &&
      previous &&
      kept !== null &&
      isYounger(now, previous.thisUpdate, kept)
    )
      return toPublished(issuer, previous);
    // RFC 5280 §5.2.3: ever increasing, also when the state was lost.
    const number = Math.max((previous?.number ?? 0) + 1, now);
    const revoked = (await context.store.listRevocations()).filter((entry) => entry.issuer === issuer.id);
    const pem = await signCrl(context, issuer, revoked, number, now);
    const state: CrlState = { number, thisUpdate: now, pem, ...(address && { address }) };
    // First what the next number goes by. Whoever dies in between has `current` put the file right.
    await replaceFile(path(issuer.number, 'json'), JSON.stringify(state));
    await replaceFile(path(issuer.number, 'pem'), state.pem);
    return toPublished(issuer, state);
  }

  /** Under the lock, and asked again there: another process may be between the two files. */
  async function mendFiles(issuers: readonly Issuer[]): Promise<void> {
    await withLock(context.dir, async () => {
      for (const issuer of issuers) {
        const state = await readState(path(issuer.number, 'json'));
        if (state && !(await isInFile(issuer, state.pem)))
          await replaceFile(path(issuer.number, 'pem'), state.pem);
      }
    });
  }

  const isInFile = async ({ number }: Issuer, pem: string) =>
    (await readFile(path(number, 'pem'), 'utf8').catch(() => null)) === pem;

  /** One at a time, of all processes: or a list read earlier could be published later. */
  function publishAll(kept: number | null, begun = () => {}): Promise<PublishedCrl[]> {
    return withLock(context.dir, async () => {
      begun();
      const all: PublishedCrl[] = [];
      for (const issuer of await context.hierarchy.issuers()) all.push(await make(issuer, kept));
      return all;
    });
  }

  let waiting: Promise<PublishedCrl[]> | undefined;
  /** Whoever asks while one waits for its turn shares it: a thousand revocations at once make two or three CRLs. */
  function publish(): Promise<PublishedCrl[]> {
    if (waiting) return waiting;
    const own = publishAll(null, () => {
      if (waiting === own) waiting = undefined;
    });
    waiting = own;
    own.catch(() => {
      if (waiting === own) waiting = undefined;
    });
    return own;
  }

  async function readOf(issuers: readonly Issuer[]) {
    const states = await Promise.all(issuers.map(({ number }) => readState(path(number, 'json'))));
    return issuers.flatMap((issuer, index) => {
      const state = states[index];
      const isCurrent = state?.address === addressOf(issuer);
      return state ? [{ ...toPublished(issuer, state), madeAt: state.thisUpdate, isCurrent }] : [];
    });
  }

  return {
    publish,
    read: async () =>
      (await readOf(await context.hierarchy.issuers())).map(({ isCurrent: _, ...crl }) => crl),
    async current() {
      const issuers = await context.hierarchy.issuers();
      const crls = await readOf(issuers);
      const now = context.now();
      const fresh = crls.every(({ madeAt, isCurrent }) => isCurrent && isYounger(now, madeAt, crlRefreshMs));
      if (!fresh || crls.length < issuers.length) return publishAll(crlRefreshMs);
      const inFiles = await Promise.all(issuers.map((issuer, i) => isInFile(issuer, crls[i]!.pem)));
      if (!inFiles.every(Boolean)) await mendFiles(issuers);
      return crls.map(({ madeAt: _, isCurrent: __, ...crl }) => crl);
    },
  };
}

/** One of a time that is still to come was made by a clock that was wrong, and nobody would take it until then. */
function isYounger(now: number, madeAt: number, ms: number): boolean {
  return madeAt <= now && now - madeAt < ms;
}

function toPublished(issuer: Issuer, { number, thisUpdate, pem }: CrlState): PublishedCrl {
  const nextUpdate = new Date(thisUpdate + crlLifetimeMs).toISOString();
  return { name: crlAddress('crl.pem', issuer.number), pem, number, nextUpdate };
}

async function signCrl(
  context: CrlContext,
  issuer: Issuer,
  revocations: readonly Revocation[],
  number: number,
  now: number,
): Promise<string> {
  const crl = new pkijs.CertificateRevocationList();
  crl.version = 1;
  crl.signature = ecdsaWithSha256();
  crl.issuer = issuer.subject;
  crl.thisUpdate = time(new Date(now));
  crl.nextUpdate = time(new Date(now + crlLifetimeMs));
  const entries = pickEntries(revocations, now);
  // RFC 5280 §5.1.2.6: absent, not empty.
  if (entries.length > 0) crl.revokedCertificates = entries.map(toEntry);
  crl.crlExtensions = new pkijs.Extensions({
    extensions: [
      authorityKeyIdentifier(issuer.keyId),
      crlNumber(number),
      issuingDistributionPoint(context.crlUrl && crlAddress(context.crlUrl, issuer.number)),
    ],
  });
  // encodeTBS is protected in pkijs' types for CRLs only; signing goes through our Signer, not through a CryptoKey.
  const tbs = (crl as unknown as { encodeTBS(): Parameters<typeof signTbs>[0] }).encodeTBS();
  return encodePem('X509 CRL', await signTbs(tbs, issuer.signer));
}

/**
 * What is revoked because its holder has a newer one makes nearly all entries of a large fleet. So many of them keep a CRL near 2 MB, those with
 * the longest life left; the webhook refuses what comes by the others, and disconnects it.
 */
export const supersededMax = 20_000;

/** RFC 5280 §3.3: an entry stays until a CRL issued after its certificate's end has carried it, and there is one every day. */
export function pickEntries(
  revocations: readonly Revocation[],
  now: number,
  most = supersededMax,
): Revocation[] {
  const ends = (entry: Revocation) => Date.parse(entry.notAfter);
  const left = revocations.filter((entry) => ends(entry) > now - 2 * crlRefreshMs);
  const superseded = left.filter(({ reason }) => reason === 'superseded');
  if (superseded.length <= most) return left;
  const listed = superseded.sort((a, b) => ends(b) - ends(a)).slice(0, most);
  return [...left.filter(({ reason }) => reason !== 'superseded'), ...listed];
}

function toEntry(revocation: Revocation): pkijs.RevokedCertificate {
  const code = revocationReasons[revocation.reason];
  return new pkijs.RevokedCertificate({
    userCertificate: positiveInteger(Buffer.from(revocation.serial, 'hex')),
    revocationDate: time(new Date(revocation.revokedAt)),
    ...(code === 0 ? {} : { crlEntryExtensions: new pkijs.Extensions({ extensions: [reasonCode(code)] }) }),
  });
}

/** Undefined also for one that was cut off: then a new CRL is made, its number by the clock. */
async function readState(path: string): Promise<CrlState | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as CrlState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
