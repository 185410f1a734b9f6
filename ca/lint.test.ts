import { generateKeyPairSync } from 'node:crypto';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { beforeAll, describe, expect, it } from 'vitest';
import { makeRoot, randomSerial } from './authorities.ts';
import { type CertificateContent, distinguishedName, encodeTbs } from './certificate.ts';
import { type ProfileName, profileNames } from './client.ts';
import * as extensions from './extensions.ts';
import { leafContent, type Wanted } from './leaf.ts';
import { lint, rules } from './lint.ts';
import { validateProfiles } from './profiles.ts';
import { parseSubjectName } from './subject-names.ts';

const profiles = validateProfiles();
const crlUrl = 'http://127.0.0.1/crl.pem';
const day = 86_400_000;
let issuer: Wanted['issuer'];
let other: Wanted['issuer'];

beforeAll(async () => {
  issuer = (await makeRoot('Test', undefined, Date.now())).authority;
  other = (await makeRoot('Other', undefined, Date.now())).authority;
});

function spki(): Uint8Array<ArrayBuffer> {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
}

function wanted(name: ProfileName = 'device', more: Partial<Wanted> = {}): Wanted {
  const now = Math.floor(Date.now() / 1000) * 1000;
  const names = name === 'device' ? [] : ['host.example', '10.0.0.1', 'fd00::1'].map(parseSubjectName);
  return {
    profile: profiles[name],
    issuer,
    serial: randomSerial(),
    csr: {
      commonName: { device: 'dev-1', broker: 'dev-1', 'broker-node': 'node.b', service: 'a.b' }[name],
      publicKey: spki(),
      names,
    },
    notBefore: new Date(now),
    notAfter: new Date(now + 30 * day),
    crlUrl,
    ...more,
  };
}

/** The names of the rules that do not hold. */
function brokenBy(
  want: Wanted,
  change: (content: CertificateContent) => Partial<CertificateContent>,
): string[] {
  const content = leafContent(want);
  return judge(encodeTbs({ ...content, ...change(content) }), want);
}

function judge(tbs: asn1.Sequence, want: Wanted): string[] {
  try {
    lint(tbs, want);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'lint_failed' });
    return (error as Error).message.replace('what was to be signed lacks: ', '').split('; ');
  }
}

const without = (content: CertificateContent, type: string) => ({
  extensions: content.extensions.filter(({ extnID }) => extnID !== type),
});
const swapped = (content: CertificateContent, extension: pkijs.Extension) => ({
  extensions: content.extensions.map((each) => (each.extnID === extension.extnID ? extension : each)),
});
const extensionsRule = 'the known extensions, once each, critical where they must be';

const faults: [
  string,
  string[],
  Wanted | (() => Wanted),
  (content: CertificateContent) => Partial<CertificateContent>,
][] = [
  [
    'a zero serial',
    ['a positive serial of 8 to 20 octets, the one that was written down'],
    wanted,
    () => ({ serial: Buffer.of(0) }),
  ],
  [
    'a serial of 21 octets',
    ['a positive serial of 8 to 20 octets, the one that was written down'],
    wanted,
    () => ({ serial: Buffer.alloc(21, 1) }),
  ],
  [
    'another serial',
    ['a positive serial of 8 to 20 octets, the one that was written down'],
    wanted,
    () => ({ serial: randomSerial() }),
  ],
  ['another issuer', ["the issuing CA's name"], wanted, () => ({ issuer: other.subject })],
  [
    'an end before its beginning',
    ["validity within the issuing CA's"],
    wanted,
    ({ notBefore }) => ({ notAfter: new Date(notBefore.getTime() - 1000) }),
  ],
  [
    'a beginning before its issuer',
    ["validity within the issuing CA's"],
    wanted,
    () => ({ notBefore: new Date(issuer.notBefore.getTime() - 1000) }),
  ],
  [
    'an end after its issuer',
    ["validity within the issuing CA's", "a lifetime of the profile's at most"],
    wanted,
    () => ({ notAfter: new Date(issuer.notAfter.getTime() + 1000) }),
  ],
  [
    'a longer life',
    ["a lifetime of the profile's at most"],
    wanted,
    ({ notBefore }) => ({ notAfter: new Date(notBefore.getTime() + 91 * day) }),
  ],
  [
    'another name',
    ['a subject of the common name, and the serial where the profile says so'],
    wanted,
    () => ({ subject: distinguishedName({ commonName: 'dev-2' }) }),
  ],
  [
    'no serial in its subject',
    ['a subject of the common name, and the serial where the profile says so'],
    wanted,
    () => ({ subject: distinguishedName({ commonName: 'dev-1' }) }),
  ],
  ['another key', ['the key of the request'], wanted, () => ({ publicKey: spki() })],
  [
    'an unknown extension',
    [extensionsRule],
    wanted,
    ({ extensions: all }) => ({
      extensions: [
        ...all,
        new pkijs.Extension({ extnID: '1.2.3.4', extnValue: new Uint8Array([5, 0]).buffer }),
      ],
    }),
  ],
  [
    'an extension twice',
    [extensionsRule],
    wanted,
    ({ extensions: all }) => ({ extensions: [...all, all.at(-1)!] }),
  ],
  [
    'an extension that is critical',
    [extensionsRule],
    wanted,
    ({ extensions: all }) => ({ extensions: all.map((each) => Object.assign(each, { critical: true })) }),
  ],
  ['a CA', ['no CA'], wanted, (content) => swapped(content, extensions.basicConstraints({ pathLength: 0 }))],
  [
    'a key that signs certificates',
    ['a key that only signs'],
    wanted,
    (content) => swapped(content, extensions.keyUsage(['digitalSignature', 'keyCertSign'])),
  ],
  [
    'more purposes',
    ["the profile's purposes"],
    wanted,
    (content) => swapped(content, extensions.extKeyUsage(['clientAuth', 'serverAuth'])),
  ],
  [
    'the purpose of a client in a broker',
    ["the profile's purposes"],
    () => wanted('broker'),
    (content) => swapped(content, extensions.extKeyUsage(['clientAuth'])),
  ],
  [
    "another key's identifier",
    ["its key's identifier"],
    wanted,
    (content) => swapped(content, extensions.subjectKeyIdentifier(other.keyId)),
  ],
  [
    "another issuer's identifier",
    ["the issuing CA's key identifier and nothing else"],
    wanted,
    (content) => swapped(content, extensions.authorityKeyIdentifier(other.keyId)),
  ],
  [
    'a name that was not asked for',
    ['alternative names: those of the request, as the profile has them'],
    () => wanted('broker'),
    (content) => swapped(content, extensions.subjectAltName([parseSubjectName('evil.example')])),
  ],
  [
    'no names for a broker',
    [extensionsRule, 'alternative names: those of the request, as the profile has them'],
    () => wanted('broker'),
    (content) => without(content, '2.5.29.17'),
  ],
  [
    'another CRL',
    ["the issuing CA's CRL"],
    wanted,
    (content) => swapped(content, extensions.crlDistributionPoint('http://elsewhere/crl.pem')),
  ],
  ['no CRL', [extensionsRule, "the issuing CA's CRL"], wanted, (content) => without(content, '2.5.29.31')],
];

describe('the lint', () => {
  it.each(profileNames)('passes what a %s gets', (name) => {
    expect(brokenBy(wanted(name), () => ({}))).toEqual([]);
    const { crlUrl: _, ...noCrl } = wanted(name);
    expect(brokenBy(noCrl, () => ({}))).toEqual([]);
  });

  it.each(faults)('refuses %s', (_, names, want, change) => {
    expect(brokenBy(typeof want === 'function' ? want() : want, change)).toEqual(names);
  });

  it('refuses version 1 and another signature algorithm', () => {
    const want = wanted();
    const body = (change: (certificate: pkijs.Certificate) => void) => {
      const tbs = encodeTbs(leafContent(want));
      const parts = tbs.valueBlock.value as asn1.BaseBlock[];
      const certificate = new pkijs.Certificate();
      change(certificate);
      if (certificate.version === 0)
        (parts[0] as asn1.Constructed).valueBlock.value[0] = new asn1.Integer({ value: 0 });
      else parts[2] = certificate.signature.toSchema() as asn1.BaseBlock;
      return judge(tbs, want);
    };
    expect(body((each) => Object.assign(each, { version: 0 }))).toEqual(['version 3']);
    for (const signature of [
      new pkijs.AlgorithmIdentifier({ algorithmId: '1.2.840.10045.4.3.3' }),
      new pkijs.AlgorithmIdentifier({ algorithmId: '1.2.840.10045.4.3.2', algorithmParams: new asn1.Null() }),
    ])
      expect(body((each) => Object.assign(each, { version: 2, signature }))).toEqual([
        'signed with ecdsa-with-SHA256 without parameters',
      ]);
  });

  it('has each of its rules tested here', () => {
    const tested = new Set(['version 3', 'signed with ecdsa-with-SHA256 without parameters']);
    for (const [, names] of faults) for (const name of names) tested.add(name);
    expect([...tested].sort()).toEqual(rules.map(({ name }) => name).sort());
  });
});
