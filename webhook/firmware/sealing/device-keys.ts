/** What is sealed for a device is sealed to the key of the certificate that it is connected with, if our CA says that this is the device's. */
import { X509Certificate } from 'node:crypto';
import { isIssuedBy, splitPem } from '../../certificates/registration.ts';
import type { Context } from '../../context.ts';

interface DeviceKey {
  point: Buffer;
  /** Of the certificate. */
  endsAt: number;
}
/** By certificate; most devices are sent something more than once. */
const known = new Map<string, DeviceKey | null>();
const maxKnown = 10_000;
const trustMs = 300_000;

interface Trust {
  readAt: number;
  issuing: X509Certificate[];
}
const trusts = new WeakMap<Context['authority'], Trust>();

/** Neither the broker nor the database is believed about whose a key is: the certificate must be one of the CA's. */
export async function readIssuing({ authority }: Pick<Context, 'authority'>): Promise<X509Certificate[]> {
  const there = trusts.get(authority);
  if (there && Date.now() - there.readAt < trustMs) return there.issuing;
  const { issuing } = await authority.trust();
  const trust = { readAt: Date.now(), issuing: splitPem(issuing).map((pem) => new X509Certificate(pem)) };
  trusts.set(authority, trust);
  return trust.issuing;
}

/** The uncompressed point; null: it is no certificate of this device by one of these CAs, it has ended, or its key is of another kind. */
export function deviceKeyOf(
  certificate: string,
  { deviceId, issuing, now = Date.now() }: { deviceId: string; issuing: X509Certificate[]; now?: number },
): Buffer | null {
  const name = `${deviceId} ${issuing.map((one) => one.fingerprint256).join()} ${certificate}`;
  let key = known.get(name);
  if (key === undefined) {
    if (known.size >= maxKnown) known.clear();
    key = read(certificate, deviceId, issuing);
    known.set(name, key);
  }
  return key && key.endsAt > now ? key.point : null;
}

function read(pem: string, deviceId: string, issuing: X509Certificate[]): DeviceKey | null {
  try {
    const leaf = new X509Certificate(pem);
    const names = leaf.subject.split('\n').filter((part) => part.startsWith('CN='));
    if (names.length !== 1 || names[0] !== `CN=${deviceId}`) return null;
    if (!issuing.some((issuer) => isIssuedBy(leaf, issuer))) return null;
    const { kty, crv, x, y } = leaf.publicKey.export({ format: 'jwk' });
    if (kty !== 'EC' || crv !== 'P-256') return null;
    const point = Buffer.concat([
      Buffer.from([4]),
      Buffer.from(x!, 'base64url'),
      Buffer.from(y!, 'base64url'),
    ]);
    return { point, endsAt: Date.parse(leaf.validTo) };
  } catch {
    return null;
  }
}
