import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as pkijs from 'pkijs';
import { ecdsaWithSha256, positiveInteger, signTbs, time } from './certificate.ts';
import { revocationReasons } from './client.ts';
import { replaceFile } from './durable-files.ts';
import { authorityKeyIdentifier, crlNumber, issuingDistributionPoint, reasonCode } from './extensions.ts';
import type { Issuer } from './hierarchy.ts';
import { encodePem } from './pem.ts';
import type { CertificateStore, Revocation } from './store.ts';

const day = 86_400_000;
/** Long, because the broker refuses every handshake once it has no valid CRL. */
export const crlLifetimeMs = 14 * day;
/** It is made anew after this time even if nothing was revoked. */
export const crlRefreshMs = day;

export interface CrlContext {
  dir: string;
  issuer: Issuer;
  store: CertificateStore;
  crlUrl?: string;
  now: () => number;
}

/** The number of the CRL and when it was made, beside the PEM that is published. */
interface CrlState {
  number: number;
  thisUpdate: number;
  pem: string;
}

export interface CrlPublisher {
  /** The CRL on disk, or a new one when that is a day old. */
  current(): Promise<string>;
  /** Makes a new one now. */
  publish(): Promise<string>;
}

/** Keeps `crl.pem` under dir, a static file for any web server. */
export function createCrlPublisher(context: CrlContext): CrlPublisher {
  let last: Promise<unknown> = Promise.resolve();

  async function make(): Promise<string> {
    const now = context.now();
    const previous = await readState(context.dir);
    // RFC 5280 §5.2.3: ever increasing; the clock keeps two processes on one directory apart.
    const number = Math.max((previous?.number ?? 0) + 1, now);
    const pem = await signCrl(context, await context.store.listRevocations(), number, now);
    const state: CrlState = { number, thisUpdate: now, pem };
    await replaceFile(join(context.dir, 'crl.json'), JSON.stringify(state));
    await replaceFile(join(context.dir, 'crl.pem'), pem);
    return pem;
  }

  /** One at a time, so that numbers and files follow each other. */
  function publish(): Promise<string> {
    const next = last.then(make, make);
    last = next.catch(() => undefined);
    return next;
  }

  return {
    publish,
    async current() {
      await last;
      const state = await readState(context.dir);
      if (state && context.now() - state.thisUpdate < crlRefreshMs) return state.pem;
      return publish();
    },
  };
}

async function signCrl(
  context: CrlContext,
  revocations: readonly Revocation[],
  number: number,
  now: number,
): Promise<string> {
  const { issuer } = context;
  const crl = new pkijs.CertificateRevocationList();
  crl.version = 1;
  crl.signature = ecdsaWithSha256();
  crl.issuer = issuer.subject;
  crl.thisUpdate = time(new Date(now));
  crl.nextUpdate = time(new Date(now + crlLifetimeMs));
  // RFC 5280 §3.3: an entry stays until a CRL issued after its certificate's end has carried it.
  const entries = revocations.filter((entry) => Date.parse(entry.notAfter) > now - crlLifetimeMs);
  // RFC 5280 §5.1.2.6: absent, not empty.
  if (entries.length > 0) crl.revokedCertificates = entries.map(toEntry);
  crl.crlExtensions = new pkijs.Extensions({
    extensions: [
      authorityKeyIdentifier(issuer.keyId),
      crlNumber(number),
      issuingDistributionPoint(context.crlUrl),
    ],
  });
  // encodeTBS is protected in pkijs' types for CRLs only; signing goes through our Signer, not through a CryptoKey.
  const tbs = (crl as unknown as { encodeTBS(): Parameters<typeof signTbs>[0] }).encodeTBS();
  return encodePem('X509 CRL', await signTbs(tbs, issuer.signer));
}

function toEntry(revocation: Revocation): pkijs.RevokedCertificate {
  const code = revocationReasons[revocation.reason];
  return new pkijs.RevokedCertificate({
    userCertificate: positiveInteger(Buffer.from(revocation.serial, 'hex')),
    revocationDate: time(new Date(revocation.revokedAt)),
    ...(code === 0 ? {} : { crlEntryExtensions: new pkijs.Extensions({ extensions: [reasonCode(code)] }) }),
  });
}

async function readState(dir: string): Promise<CrlState | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, 'crl.json'), 'utf8')) as CrlState;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
