import { CaError, type RevokingAuthority } from './client.ts';
import { createCrlPublisher } from './crl.ts';
import { hasHierarchy, openHierarchy } from './hierarchy.ts';
import { createIssuer } from './issue.ts';
import type { KmsSettings } from './kms-signer.ts';
import { createMeter, type Meter, writeValidity } from './metrics.ts';
import { type Lifetimes, validateProfiles } from './profiles.ts';
import { rotate } from './rotation.ts';
import type { Signer } from './signer.ts';
import { type CertificateRecord, openStore } from './store.ts';
import { createWitness } from './witness.ts';

export interface AuthorityOptions {
  /** Keys, certificates and records live here and nowhere else. */
  dir: string;
  /** Encrypts the CA keys when they are made; opens them afterwards. */
  passphrase?: string;
  /** Common name of the root is "<name> Root CA"; used on first use only. */
  name?: string;
  /** Seconds, by profile. */
  lifetimes?: Lifetimes;
  /** http: address under which `crl.pem` is published; then certificates name it. */
  crlUrl?: string;
  /** Puts something in front of each issuing CA's key: a meter, a limit, or a KMS that holds the same key. */
  wrapSigner?: (signer: Signer) => Signer;
  /** The key of an issuing CA that is made here is this KMS key. */
  kms?: KmsSettings;
  /** Milliseconds since 1970; for tests. */
  now?: () => number;
}

export interface LocalAuthority extends RevokingAuthority {
  meter: Meter;
  /** Makes nothing anew: a stale CRL is told of as it is. */
  metrics(): Promise<string>;
  /** What is written down about a serial (upper-case hex), and whether it has been revoked. */
  find(serial: string): Promise<{ record: CertificateRecord; revoked: boolean } | undefined>;
  /**
   * A new issuing CA, from which all leaves come from now on.
   * @throws CaError root_missing
   */
  rotate(): Promise<{ number: number }>;
}

/**
 * Opens the authority under `dir`, and makes root and issuing CA there on first use.
 * @throws CaError passphrase_wrong | hierarchy_damaged | config_invalid
 */
export async function openAuthority(options: AuthorityOptions): Promise<LocalAuthority> {
  const { dir, passphrase, name, crlUrl, wrapSigner, now = Date.now } = options;
  const profiles = validateProfiles(options.lifetimes);
  if (crlUrl !== undefined && !/^http:\/\/[!-"$->@-~]{1,500}$/.test(crlUrl)) {
    throw new CaError(
      'config_invalid',
      'crlUrl must be an http: address (EMQX fetches no other) without a query',
    );
  }
  const place = {
    dir,
    now,
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(name ? { name } : {}),
    ...(wrapSigner ? { wrapSigner } : {}),
    ...(options.kms ? { kms: options.kms } : {}),
  };
  const hierarchy = await openHierarchy(place);
  const store = await openStore(dir);
  const publisher = createCrlPublisher({ dir, hierarchy, store, crlUrl, now });

  const meter = createMeter();
  const issue = createIssuer({ hierarchy, profiles, store, crlUrl, now });

  return {
    meter,
    issue: (request) => meter.issue(request.profile, () => issue(request)),
    async metrics() {
      const validity = writeValidity(await hierarchy.issuers(), await publisher.read(), now());
      return `${[...meter.write(), ...validity].join('\n')}\n`;
    },
    async trust() {
      const issuers = await hierarchy.issuers();
      return { root: hierarchy.root, issuing: issuers.map(({ certificate }) => certificate).join('') };
    },
    ...createWitness({ dir, hierarchy, now }),
    crl: async () => (await publisher.current()).map(({ pem }) => pem).join(''),
    crls: () => publisher.current(),
    async rotate() {
      const done = await rotate(place);
      await hierarchy.refresh();
      await publisher.current();
      return done;
    },

    async find(serial) {
      const record = await store.get(serial);
      return record && { record, revoked: (await store.getRevocation(serial)) !== undefined };
    },

    async revoke(serial, reason) {
      const record = await store.get(serial);
      if (record?.state !== 'issued')
        throw new CaError('certificate_unknown', `no certificate has the serial ${serial}`);
      const revokedAt = new Date(Math.floor(now() / 1000) * 1000).toISOString();
      const fresh = await store.revoke({
        serial,
        issuer: record.issuer,
        reason,
        revokedAt,
        notAfter: record.notAfter,
      });
      // Also for one that is known: whoever revoked it may have been killed before the CRL was made.
      await publisher.publish();
      if (!fresh) throw new CaError('already_revoked', `${serial} has been revoked already`);
      return { serial, revokedAt };
    },
  };
}

/** A mistyped directory must not become another authority. @throws CaError not_found */
export async function openExisting(
  options: Parameters<typeof openAuthority>[0],
): ReturnType<typeof openAuthority> {
  if (!(await hasHierarchy(options.dir)))
    throw new CaError('not_found', `there is no authority in ${options.dir}; "init" makes one`);
  return openAuthority(options);
}
