/**
 * What EMQX does with `enable_crl_check = true`: the CRL at the address that a client's certificate names is fetched over http, kept,
 * fetched again once it is older than an interval, and asked at each handshake. What cannot be judged is refused.
 */
import { webcrypto, X509Certificate } from 'node:crypto';
import * as pkijs from 'pkijs';
import type { Log } from './rule-engine.ts';

export interface CrlCheckOptions {
  /** `crl_cache.refresh_interval`. */
  refreshMs: number;
  /** Where an address that a certificate names is to be found now; default: there. */
  locate?: (address: string) => string;
}

interface Crl {
  issuer: pkijs.RelativeDistinguishedNames;
  nextUpdate: number;
  /** Upper-case hex without leading zeros. */
  serials: ReadonlySet<string>;
}
interface Known {
  /** Settles with the CRL of the newest attempt, or with the one before when that failed. */
  crl: Promise<Crl>;
  askedAt: number;
}

const fetchTimeoutMs = 15_000;
const maxCrlBytes = 16 * 1024 * 1024;
const engine = new pkijs.CryptoEngine({ name: 'node', crypto: webcrypto as unknown as Crypto });
const oids = { distributionPoints: '2.5.29.31', issuingDistributionPoint: '2.5.29.28' };

export class CrlCheck {
  private readonly options: CrlCheckOptions;
  private readonly issuers: pkijs.Certificate[];
  private readonly log: Log;
  private readonly known = new Map<string, Known>();

  /** `ca` are the PEM texts of the authorities that may have signed a CRL. */
  constructor(options: CrlCheckOptions, ca: string, log: Log) {
    this.options = options;
    this.issuers = readPems(ca, 'CERTIFICATE').map((der) => pkijs.Certificate.fromBER(der));
    this.log = log;
  }

  /** Why a client with this certificate (DER) may not come in; null when it may. */
  async findObstacle(certificate: Buffer): Promise<string | null> {
    let address: string | undefined;
    try {
      const { serialNumber } = new X509Certificate(certificate);
      const leaf = pkijs.Certificate.fromBER(certificate as Uint8Array<ArrayBuffer>);
      address = distributionPoint(leaf);
      if (!address) return 'the certificate names no http address of a CRL';
      const crl = await this.current(address);
      if (!crl.issuer.isEqual(leaf.issuer)) return `the CRL at ${address} is by another authority`;
      if (crl.nextUpdate <= Date.now()) return `the CRL at ${address} is out of date`;
      return crl.serials.has(withoutZeros(serialNumber)) ? 'the certificate is revoked' : null;
    } catch (error) {
      return `the CRL at ${address ?? 'an address'} cannot be used: ${(error as Error).message}`;
    }
  }

  /** Somebody was sent away, perhaps for a revoked certificate: the next handshake is judged by a CRL fetched after this. */
  expire(): void {
    for (const known of this.known.values()) known.askedAt = Number.NEGATIVE_INFINITY;
  }

  /** One that cannot be fetched anew stays in force until its nextUpdate; where there was none, the next handshake asks again. */
  private current(address: string): Promise<Crl> {
    const before = this.known.get(address);
    if (before && Date.now() - before.askedAt < this.options.refreshMs) return before.crl;
    const fetched = this.fetchCrl(address);
    const crl = before
      ? fetched.catch((error: Error) => {
          this.log('warn', 'CRL not refreshed', { address, error: error.message });
          return before.crl;
        })
      : fetched;
    const known = { crl, askedAt: Date.now() };
    this.known.set(address, known);
    crl.catch(() => this.known.get(address) === known && this.known.delete(address));
    return crl;
  }

  private async fetchCrl(address: string): Promise<Crl> {
    const url = this.options.locate?.(address) ?? address;
    const answer = await fetch(url, { signal: AbortSignal.timeout(fetchTimeoutMs) });
    if (answer.status !== 200) throw new Error(`status ${answer.status}`);
    const text = await answer.text();
    if (text.length > maxCrlBytes) throw new Error('it is too long');
    const [der] = readPems(text, 'X509 CRL');
    if (!der) throw new Error('it is not PEM');
    const crl = pkijs.CertificateRevocationList.fromBER(der);
    if (!crl.crlExtensions?.extensions.some(({ extnID }) => extnID === oids.issuingDistributionPoint))
      throw new Error('it has no Issuing Distribution Point');
    const signers = this.issuers.filter(({ subject }) => subject.isEqual(crl.issuer));
    const verified = await Promise.all(
      signers.map((issuerCertificate) => crl.verify({ issuerCertificate }, engine)),
    );
    if (!verified.includes(true)) throw new Error('it is not signed by an authority that is trusted');
    const serials = crl.revokedCertificates?.map(({ userCertificate }) =>
      withoutZeros(Buffer.from(userCertificate.valueBlock.valueHexView).toString('hex')),
    );
    const nextUpdate = crl.nextUpdate?.value.getTime() ?? 0;
    return { issuer: crl.issuer, nextUpdate, serials: new Set(serials) };
  }
}

/** The http address of the CRL that a certificate (DER) names. */
export function findCrlAddress(certificate: Uint8Array): string | undefined {
  return distributionPoint(pkijs.Certificate.fromBER(certificate as Uint8Array<ArrayBuffer>));
}

function distributionPoint(certificate: pkijs.Certificate): string | undefined {
  const extension = certificate.extensions?.find(({ extnID }) => extnID === oids.distributionPoints);
  const points = extension?.parsedValue as pkijs.CRLDistributionPoints | undefined;
  const names = points?.distributionPoints.flatMap(({ distributionPoint: name }) =>
    Array.isArray(name) ? (name as pkijs.GeneralName[]) : [],
  );
  // uniformResourceIdentifier (RFC 5280 §4.2.1.6)
  const addresses = names?.filter(({ type }) => type === 6).map(({ value }) => String(value));
  return addresses?.find((address) => /^http:\/\//i.test(address));
}

function readPems(text: string, label: string): Uint8Array<ArrayBuffer>[] {
  const blocks = text.matchAll(new RegExp(`-----BEGIN ${label}-----([^-]+)-----END ${label}-----`, 'g'));
  return [...blocks].map(([, base64 = '']) => new Uint8Array(Buffer.from(base64, 'base64')));
}

function withoutZeros(hex: string): string {
  return hex.toUpperCase().replace(/^0+/, '');
}
