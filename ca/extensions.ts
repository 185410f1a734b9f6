import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { oids } from './oids.ts';
import type { SubjectName } from './subject-names.ts';

/** RFC 5280 §4.2.1.3, bit numbers. */
const keyUsageBits = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, cRLSign: 6 } as const;
export type KeyUsage = keyof typeof keyUsageBits;

function extension(
  extnID: string,
  critical: boolean,
  value: asn1.BaseBlock | { toSchema(): unknown },
): pkijs.Extension {
  const block = (value instanceof asn1.BaseBlock ? value : value.toSchema()) as asn1.BaseBlock;
  return new pkijs.Extension({ extnID, critical, extnValue: block.toBER(false) });
}

/** RFC 5280 §4.2.1.9: critical in CA certificates; we mark it in leaves too. */
export function basicConstraints(authority: { pathLength: number } | undefined): pkijs.Extension {
  const value = authority
    ? new pkijs.BasicConstraints({ cA: true, pathLenConstraint: authority.pathLength })
    : new pkijs.BasicConstraints({ cA: false });
  return extension(oids.basicConstraints, true, value);
}

/** RFC 5280 §4.2.1.3: SHOULD be critical. X.690 §11.2.2: trailing zero bits of a named bit list are left out. */
export function keyUsage(usages: readonly KeyUsage[]): pkijs.Extension {
  const bits: number[] = usages.map((usage) => keyUsageBits[usage]);
  const byte = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0);
  const valueHex = Uint8Array.of(byte).buffer;
  return extension(oids.keyUsage, true, new asn1.BitString({ valueHex, unusedBits: 7 - Math.max(...bits) }));
}

export function extKeyUsage(purposes: readonly ('clientAuth' | 'serverAuth')[]): pkijs.Extension {
  const keyPurposes = purposes.map((purpose) => oids[purpose]);
  return extension(oids.extKeyUsage, false, new pkijs.ExtKeyUsage({ keyPurposes }));
}

/** RFC 5280 §4.2.1.2: MUST NOT be critical. */
export function subjectKeyIdentifier(id: Uint8Array<ArrayBuffer>): pkijs.Extension {
  return extension(oids.subjectKeyIdentifier, false, new asn1.OctetString({ valueHex: id }));
}

/** RFC 5280 §4.2.1.1: the key identifier alone; issuer and serial would break when the issuing CA is re-signed. */
export function authorityKeyIdentifier(id: Uint8Array<ArrayBuffer>): pkijs.Extension {
  const keyIdentifier = new asn1.OctetString({ valueHex: id });
  return extension(oids.authorityKeyIdentifier, false, new pkijs.AuthorityKeyIdentifier({ keyIdentifier }));
}

/** RFC 5280 §4.2.1.6: not critical, since our subjects are never empty. */
export function subjectAltName(names: readonly SubjectName[]): pkijs.Extension {
  const altNames = names.map((name) =>
    name.kind === 'dns'
      ? new pkijs.GeneralName({ type: 2, value: name.text })
      : new pkijs.GeneralName({
          type: 7,
          value: new asn1.OctetString({ valueHex: new Uint8Array(name.bytes) }),
        }),
  );
  return extension(oids.subjectAltName, false, new pkijs.GeneralNames({ names: altNames }));
}

function uri(value: string): pkijs.GeneralName {
  return new pkijs.GeneralName({ type: 6, value });
}

/** RFC 5280 §4.2.1.13. EMQX fetches http: addresses only. */
export function crlDistributionPoint(url: string): pkijs.Extension {
  const point = new pkijs.DistributionPoint({ distributionPoint: [uri(url)] });
  return extension(
    oids.crlDistributionPoints,
    false,
    new pkijs.CRLDistributionPoints({ distributionPoints: [point] }),
  );
}

/** RFC 5280 §5.2.5: critical; its name must equal the distribution point of the certificates it covers. */
export function issuingDistributionPoint(url: string | undefined): pkijs.Extension {
  const point = new pkijs.IssuingDistributionPoint({
    onlyContainsUserCerts: true,
    ...(url === undefined ? {} : { distributionPoint: [uri(url)] }),
  });
  return extension(oids.issuingDistributionPoint, true, point);
}

/** RFC 5280 §5.2.3. */
export function crlNumber(number: number): pkijs.Extension {
  return extension(oids.crlNumber, false, asn1.Integer.fromBigInt(BigInt(number)));
}

/** RFC 5280 §5.3.1: left out for `unspecified`. */
export function reasonCode(code: number): pkijs.Extension {
  return extension(oids.reasonCode, false, new asn1.Enumerated({ value: code }));
}
