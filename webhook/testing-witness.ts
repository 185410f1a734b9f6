/** For tests and benchmarks: the part of the CA that witnesses the audit log, in memory, with a key and a certificate that were made for it. */
import { createPrivateKey } from 'node:crypto';
import { CompactSign } from 'jose';
import { CaError, type RevokingAuthority, type WitnessedHead } from '#ca/client.ts';

export const issuingCertificate = `-----BEGIN CERTIFICATE-----
MIIBijCCATGgAwIBAgIUA5f3nT6yJen2JORAg0+P32oPvMkwCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPVGVzdCBJc3N1aW5nIENBMCAXDTI2MTEyODIyMDEzNloYDzIx
MjYxMTA0MjIwMTM2WjAaMRgwFgYDVQQDDA9UZXN0IElzc3VpbmcgQ0EwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQwmYu5Lw7S2isvM91+KcXp9tBP2Bb63XoKjnOO
i4vNc4Rjan2vwIb122WfU9RcVsVcclP+zUibBUuHYVMSxBsTo1MwUTAdBgNVHQ4E
FgQUJoBTAPh+k0bR5wrepMxFEBFnfOkwHwYDVR0jBBgwFoAUJoBTAPh+k0bR5wre
pMxFEBFnfOkwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNHADBEAiBjqXwa
JwGSvBOmsWBpwPYF3+aZ8SwAd9AyzWbuZcOl9wIgWFEmevWQ1DNcdpc52fJhZnPU
7mR9qdFvE4jrRNg6QmQ=
-----END CERTIFICATE-----
`;
const key = createPrivateKey(`-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwsb0JEWujEU4y8if
r2H8ifeRmIhN6b6uqnnxPzcQwJKhRANCAAQwmYu5Lw7S2isvM91+KcXp9tBP2Bb6
3XoKjnOOi4vNc4Rjan2vwIb122WfU9RcVsVcclP+zUibBUuHYVMSxBsT
-----END PRIVATE KEY-----
`);

export interface TestWitness extends Pick<RevokingAuthority, 'witness' | 'witnessed' | 'attest'> {
  last: WitnessedHead | null;
}

export function createTestWitness(isAway: () => boolean): TestWitness {
  const refuse = () => {
    if (isAway()) throw new CaError('ca_unavailable', 'away');
  };
  const witness: TestWitness = {
    last: null,
    async witnessed() {
      refuse();
      return witness.last;
    },
    async attest(sha256) {
      refuse();
      const attested = { sha256, at: new Date().toISOString() };
      const jws = await new CompactSign(Buffer.from(JSON.stringify(attested)))
        .setProtectedHeader({ alg: 'ES256', typ: 'flota-evidence' })
        .sign(key);
      return { ...attested, jws };
    },
    async witness({ id, hash, ...more }) {
      refuse();
      // As the CA does, which takes nothing that it does not know.
      if (Object.keys(more).length > 0) throw new CaError('request_invalid', Object.keys(more).join(', '));
      const { last } = witness;
      if (last && (id < last.id || (id === last.id && hash !== last.hash)))
        throw new CaError('head_conflict', 'another was witnessed');
      const head = { id, hash, at: new Date().toISOString() };
      const jws = await new CompactSign(Buffer.from(JSON.stringify(head)))
        .setProtectedHeader({ alg: 'ES256', typ: 'flota-audit-head' })
        .sign(key);
      witness.last = { ...head, jws };
      return witness.last;
    },
  };
  return witness;
}
