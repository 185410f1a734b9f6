/**
 * Looks at what is about to be signed as a stranger would: what the encoder has made is parsed again and compared with the profile and the
 * request, rule by rule. A mistake of ours then costs a certificate that is not issued, and not one that is.
 */
import type * as asn1 from 'asn1js';
import { CaError } from './client.ts';
import { serialText, type Wanted } from './leaf.ts';
import { oids } from './oids.ts';
import { keyIdentifier } from './signer.ts';
import { addressText } from './subject-names.ts';
import { readTbs, type Tbs } from './tbs.ts';
import { partsOf, tagged } from './tree.ts';

interface Rule {
  /** What a certificate must be. */
  name: string;
  holds(tbs: Tbs, wanted: Wanted): boolean;
}

/** Exported for its tests, one for each rule. */
export const rules: Rule[] = [
  { name: 'version 3', holds: ({ version }) => version === 2 },
  {
    // RFC 5280 §4.1.2.2; CA/B BR §7.1 wants 64 random bits.
    name: 'a positive serial of 8 to 20 octets, the one that was written down',
    holds: ({ serial: octets }, { serial }) => {
      const magnitude = Buffer.from(octets[0] === 0 ? octets.subarray(1) : octets);
      return octets[0]! < 0x80 && octets.length >= 8 && octets.length <= 20 && magnitude.equals(serial);
    },
  },
  {
    // RFC 5758 §3.2, as bytes: SEQUENCE { 1.2.840.10045.4.3.2 }.
    name: 'signed with ecdsa-with-SHA256 without parameters',
    holds: ({ algorithm }) => hex(algorithm) === '300a06082a8648ce3d040302',
  },
  {
    name: "the issuing CA's name",
    holds: ({ issuer }, wanted) => isBytes(issuer, wanted.issuer.subject),
  },
  {
    name: "validity within the issuing CA's",
    holds: ({ notBefore, notAfter }, { issuer }) =>
      notBefore < notAfter && notBefore >= issuer.notBefore && notAfter <= issuer.notAfter,
  },
  {
    name: "a lifetime of the profile's at most",
    holds: ({ notBefore, notAfter }, { profile }) =>
      notAfter.getTime() - notBefore.getTime() <= (profile.lifetimeSeconds + profile.backdateSeconds) * 1000,
  },
  {
    name: 'a subject of the common name, and the serial where the profile says so',
    holds: ({ subject }, { profile, csr, serial }) => {
      const parts = subject.map((rdn) => rdn.map(({ type, text }) => `${type}=${text}`).join('+'));
      const wanted = [
        `${oids.commonName}=${csr.commonName}`,
        ...(profile.serialInSubject ? [`${oids.serialNumber}=${serialText(serial)}`] : []),
      ];
      return profile.commonName.test(csr.commonName) && same(parts, wanted);
    },
  },
  {
    name: 'the key of the request',
    holds: ({ publicKey }, { csr }) => isBytes(publicKey, csr.publicKey),
  },
  {
    name: 'the known extensions, once each, critical where they must be',
    holds: ({ extensions }, { profile, csr, crlUrl }) =>
      same(
        extensions.map(({ id, critical }) => `${id}${critical ? ' critical' : ''}`),
        [
          `${oids.basicConstraints} critical`,
          `${oids.keyUsage} critical`,
          oids.extKeyUsage,
          oids.subjectKeyIdentifier,
          oids.authorityKeyIdentifier,
          ...(csr.names.length > 0 && profile.subjectAltName !== 'none' ? [oids.subjectAltName] : []),
          ...(crlUrl === undefined ? [] : [oids.crlDistributionPoints]),
        ],
      ),
  },
  {
    // RFC 5280 §4.2.1.9: an empty SEQUENCE, for DER leaves FALSE out.
    name: 'no CA',
    holds: (tbs) => hex(find(tbs, oids.basicConstraints)?.bytes) === '3000',
  },
  {
    // RFC 5280 §4.2.1.3: bit 0 of one, seven of the octet unused.
    name: 'a key that only signs',
    holds: (tbs) => hex(find(tbs, oids.keyUsage)?.bytes) === '03020780',
  },
  {
    name: "the profile's purposes",
    holds: (tbs, { profile }) =>
      same(
        partsIn(tbs, oids.extKeyUsage).map((purpose) => (purpose as asn1.ObjectIdentifier).getValue()),
        profile.extKeyUsage.map((purpose) => oids[purpose]),
      ),
  },
  {
    // An OCTET STRING of 20.
    name: "its key's identifier",
    holds: (tbs) =>
      hex(find(tbs, oids.subjectKeyIdentifier)?.bytes) === `0414${hex(keyIdentifier(tbs.keyBits))}`,
  },
  {
    // A SEQUENCE of [0] alone.
    name: "the issuing CA's key identifier and nothing else",
    holds: (tbs, { issuer }) =>
      hex(find(tbs, oids.authorityKeyIdentifier)?.bytes) === `30168014${hex(issuer.keyId)}`,
  },
  {
    name: 'alternative names: those of the request, as the profile has them',
    holds: (tbs, { profile, csr }) => {
      const names = partsIn(tbs, oids.subjectAltName).map(nameText);
      if (profile.subjectAltName === 'required' && names.length === 0) return false;
      if (profile.subjectAltName === 'none' && names.length > 0) return false;
      return same(
        names,
        csr.names.map(({ kind, text }) => `${kind} ${text}`),
      );
    },
  },
  {
    name: "the issuing CA's CRL",
    holds: (tbs, { crlUrl }) => {
      // RFC 5280 §4.2.1.13: of each point its distributionPoint [0], of that its fullName [0].
      const addresses = partsIn(tbs, oids.crlDistributionPoints).flatMap((point) =>
        partsOf(point, 1).flatMap((name) => tagged(tagged(name, 0)[0], 0).map(nameText)),
      );
      return same(addresses, crlUrl === undefined ? [] : [`uri ${crlUrl}`]);
    },
  },
];

/**
 * `bytes` are what would be signed, DER.
 * @throws CaError lint_failed, with every rule that does not hold
 */
export function lint(bytes: Uint8Array<ArrayBuffer>, wanted: Wanted): void {
  let broken: string[];
  try {
    const tbs = readTbs(bytes);
    broken = rules.filter(({ holds }) => !holds(tbs, wanted)).map(({ name }) => name);
  } catch (cause) {
    throw new CaError('lint_failed', `what was to be signed is no certificate: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (broken.length > 0)
    throw new CaError('lint_failed', `what was to be signed lacks: ${broken.join('; ')}`);
}

function find({ extensions }: Tbs, type: string) {
  return extensions.find(({ id }) => id === type);
}

function partsIn(tbs: Tbs, type: string): asn1.BaseBlock[] {
  const extension = find(tbs, type);
  return extension ? partsOf(extension.value) : [];
}

function same(found: readonly string[], wanted: readonly string[]): boolean {
  return found.length === wanted.length && found.every((one, index) => one === wanted[index]);
}

function isBytes(found: Uint8Array, wanted: Uint8Array): boolean {
  return Buffer.compare(found, wanted) === 0;
}

function hex(bytes: Uint8Array = new Uint8Array()): string {
  return Buffer.from(bytes).toString('hex');
}

/** A GeneralName: [2] a DNS name, [6] a URI, [7] an address. */
function nameText({ idBlock: { tagClass, tagNumber }, valueBlock }: asn1.BaseBlock): string {
  const octets = (valueBlock as asn1.Primitive['valueBlock']).valueHexView;
  const kind = tagClass === 3 ? tagNumber : -1;
  if (kind === 2 || kind === 6)
    return `${kind === 2 ? 'dns' : 'uri'} ${Buffer.from(octets).toString('latin1')}`;
  return kind === 7 ? `ip ${addressText(octets)}` : `other ${kind}`;
}
