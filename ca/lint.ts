/**
 * Looks at what is about to be signed as a stranger would: what the encoder has made is parsed again and compared with the profile and the
 * request, rule by rule. A mistake of ours then costs a certificate that is not issued, and not one that is.
 */
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { publicKeyBits } from './authorities.ts';
import { joinSignature } from './certificate.ts';
import { CaError } from './client.ts';
import { serialText, type Wanted } from './leaf.ts';
import { oids } from './oids.ts';
import { keyIdentifier } from './signer.ts';
import { addressText } from './subject-names.ts';

interface Rule {
  /** What a certificate must be. */
  name: string;
  holds(certificate: pkijs.Certificate, wanted: Wanted): boolean;
}

/** Exported for its tests, one for each rule. */
export const rules: Rule[] = [
  { name: 'version 3', holds: ({ version }) => version === 2 },
  {
    // RFC 5280 §4.1.2.2; CA/B BR §7.1 wants 64 random bits.
    name: 'a positive serial of 8 to 20 octets, the one that was written down',
    holds: ({ serialNumber }, { serial }) => {
      const octets = Buffer.from(serialNumber.valueBlock.valueHexView);
      const magnitude = octets[0] === 0 ? octets.subarray(1) : octets;
      return octets[0]! < 0x80 && octets.length >= 8 && octets.length <= 20 && magnitude.equals(serial);
    },
  },
  {
    name: 'signed with ecdsa-with-SHA256 without parameters',
    holds: ({ signature }) =>
      signature.algorithmId === oids.ecdsaWithSha256 && signature.algorithmParams === undefined,
  },
  { name: "the issuing CA's name", holds: ({ issuer }, wanted) => issuer.isEqual(wanted.issuer.subject) },
  {
    name: "validity within the issuing CA's",
    holds: ({ notBefore, notAfter }, { issuer }) =>
      notBefore.value < notAfter.value &&
      notBefore.value >= issuer.notBefore &&
      notAfter.value <= issuer.notAfter,
  },
  {
    name: "a lifetime of the profile's at most",
    holds: ({ notBefore, notAfter }, { profile }) =>
      notAfter.value.getTime() - notBefore.value.getTime() <=
      (profile.lifetimeSeconds + profile.backdateSeconds) * 1000,
  },
  {
    name: 'a subject of the common name, and the serial where the profile says so',
    holds: ({ subject }, { profile, csr, serial }) => {
      const parts = subject.typesAndValues.map(
        ({ type, value }) => `${type}=${String(value.valueBlock.value)}`,
      );
      const wanted = [
        `${oids.commonName}=${csr.commonName}`,
        ...(profile.serialInSubject ? [`${oids.serialNumber}=${serialText(serial)}`] : []),
      ];
      return profile.commonName.test(csr.commonName) && same(parts, wanted);
    },
  },
  {
    name: 'the key of the request',
    holds: ({ subjectPublicKeyInfo }, { csr }) =>
      Buffer.from(subjectPublicKeyInfo.toSchema().toBER()).equals(csr.publicKey),
  },
  {
    name: 'the known extensions, once each, critical where they must be',
    holds: ({ extensions = [] }, { profile, csr, crlUrl }) =>
      same(
        extensions.map(({ extnID, critical }) => `${extnID}${critical ? ' critical' : ''}`),
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
    name: 'no CA',
    holds: (certificate) => {
      const value = read<pkijs.BasicConstraints>(certificate, oids.basicConstraints);
      return value !== undefined && !value.cA && value.pathLenConstraint === undefined;
    },
  },
  {
    name: 'a key that only signs',
    holds: (certificate) => {
      const value = read<asn1.BitString>(certificate, oids.keyUsage)?.valueBlock;
      return value?.unusedBits === 7 && Buffer.from(value.valueHexView).toString('hex') === '80';
    },
  },
  {
    name: "the profile's purposes",
    holds: (certificate, { profile }) =>
      same(
        read<pkijs.ExtKeyUsage>(certificate, oids.extKeyUsage)?.keyPurposes ?? [],
        profile.extKeyUsage.map((purpose) => oids[purpose]),
      ),
  },
  {
    name: "its key's identifier",
    holds: (certificate, { csr }) =>
      isOctets(
        read<asn1.OctetString>(certificate, oids.subjectKeyIdentifier),
        keyIdentifier(publicKeyBits(csr.publicKey)),
      ),
  },
  {
    name: "the issuing CA's key identifier and nothing else",
    holds: (certificate, { issuer }) => {
      const value = read<pkijs.AuthorityKeyIdentifier>(certificate, oids.authorityKeyIdentifier);
      return !value?.authorityCertIssuer && isOctets(value?.keyIdentifier, issuer.keyId);
    },
  },
  {
    name: 'alternative names: those of the request, as the profile has them',
    holds: (certificate, { profile, csr }) => {
      const names = read<pkijs.AltName>(certificate, oids.subjectAltName)?.altNames ?? [];
      if (profile.subjectAltName === 'required' && names.length === 0) return false;
      if (profile.subjectAltName === 'none' && names.length > 0) return false;
      return same(
        names.map(nameText),
        csr.names.map(({ kind, text }) => `${kind} ${text}`),
      );
    },
  },
  {
    name: "the issuing CA's CRL",
    holds: (certificate, { crlUrl }) => {
      const points =
        read<pkijs.CRLDistributionPoints>(certificate, oids.crlDistributionPoints)?.distributionPoints ?? [];
      const addresses = points.flatMap(
        ({ distributionPoint }) => (distributionPoint ?? []) as pkijs.GeneralName[],
      );
      return same(addresses.map(nameText), crlUrl === undefined ? [] : [`uri ${crlUrl}`]);
    },
  },
];

/** @throws CaError lint_failed, with every rule that does not hold */
export function lint(tbs: asn1.Sequence, wanted: Wanted): void {
  const bytes = joinSignature(tbs, new Uint8Array());
  const certificate = new pkijs.Certificate({ schema: asn1.fromBER(bytes).result });
  const broken = rules.filter(({ holds }) => !holds(certificate, wanted)).map(({ name }) => name);
  if (broken.length > 0)
    throw new CaError('lint_failed', `what was to be signed lacks: ${broken.join('; ')}`);
}

function read<T>(certificate: pkijs.Certificate, type: string): T | undefined {
  return certificate.extensions?.find(({ extnID }) => extnID === type)?.parsedValue as T | undefined;
}

function same(found: readonly string[], wanted: readonly string[]): boolean {
  return found.length === wanted.length && found.every((one, index) => one === wanted[index]);
}

function isOctets(found: asn1.OctetString | undefined, wanted: Uint8Array): boolean {
  return found !== undefined && Buffer.from(found.valueBlock.valueHexView).equals(wanted);
}

function nameText({ type, value }: pkijs.GeneralName): string {
  if (type === 2) return `dns ${String(value)}`;
  if (type === 6) return `uri ${String(value)}`;
  if (type === 7) return `ip ${addressText((value as asn1.OctetString).valueBlock.valueHexView)}`;
  return `other ${type}`;
}
