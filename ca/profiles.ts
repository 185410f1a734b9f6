import { z } from 'zod';
import { CaError, type ProfileName, profileNames } from './client.ts';
import { commonNamePatterns } from './subject-names.ts';

const day = 86_400;

const keyPolicySchema = z.strictObject({
  curves: z.array(z.enum(['P-256', 'P-384'])),
  /** null: no RSA at all. NIST SP 800-57 puts the floor at 2048; above 4096 a handshake costs more than it protects. */
  rsaBits: z.strictObject({ min: z.int().min(2048), max: z.int().max(4096) }).nullable(),
});

const profileSchema = z.strictObject({
  /** What a common name may look like; at most 64 characters (RFC 5280 appendix A, ub-common-name). */
  commonName: z.instanceof(RegExp),
  /** The subject repeats the certificate's serial, so that broker rules see which certificate is in use. */
  serialInSubject: z.boolean(),
  /** RFC 9525 §2: a server is known by its subjectAltName only. */
  subjectAltName: z.enum(['none', 'optional', 'required']),
  /** RFC 5280 §4.2.1.12. */
  extKeyUsage: z.array(z.enum(['clientAuth', 'serverAuth'])).min(1),
  keys: keyPolicySchema,
  lifetimeSeconds: z
    .int()
    .min(1)
    .max(3650 * day),
  /** A device's clock may be a little behind ours. */
  backdateSeconds: z.int().min(0).max(day),
});

export type Profile = Readonly<z.infer<typeof profileSchema>>;
export type KeyPolicy = Readonly<z.infer<typeof keyPolicySchema>>;
export type Profiles = Readonly<Record<ProfileName, Profile>>;
/** Seconds, by profile. */
export type Lifetimes = Partial<Record<ProfileName, number>>;

const anyKey: KeyPolicy = { curves: ['P-256', 'P-384'], rsaBits: { min: 2048, max: 4096 } };

/** The defaults; basicConstraints CA:FALSE, keyUsage, SKI and AKI are the same for every leaf (`certificate.ts`). */
export const profileDefaults: Record<ProfileName, z.input<typeof profileSchema>> = {
  device: {
    commonName: commonNamePatterns.device,
    serialInSubject: true,
    subjectAltName: 'none',
    extKeyUsage: ['clientAuth'],
    keys: anyKey,
    lifetimeSeconds: 90 * day,
    backdateSeconds: 300,
  },
  broker: {
    commonName: commonNamePatterns.broker,
    serialInSubject: false,
    subjectAltName: 'required',
    // No clientAuth: to a broker, whoever passes as a TLS client of this CA is a device.
    extKeyUsage: ['serverAuth'],
    keys: anyKey,
    lifetimeSeconds: 365 * day,
    backdateSeconds: 300,
  },
  'broker-node': {
    commonName: commonNamePatterns['broker-node'],
    serialInSubject: false,
    // Erlang compares a peer's address with them.
    subjectAltName: 'required',
    // Between nodes each is server and client.
    extKeyUsage: ['serverAuth', 'clientAuth'],
    keys: anyKey,
    lifetimeSeconds: 365 * day,
    backdateSeconds: 300,
  },
  service: {
    commonName: commonNamePatterns.service,
    serialInSubject: false,
    subjectAltName: 'optional',
    extKeyUsage: ['serverAuth', 'clientAuth'],
    keys: anyKey,
    lifetimeSeconds: 365 * day,
    backdateSeconds: 300,
  },
};

/**
 * The defaults with these lifetimes, validated once; nothing can change a profile afterwards.
 * @throws CaError config_invalid, every problem in its message
 */
export function validateProfiles(lifetimes: Lifetimes = {}): Profiles {
  const problems: string[] = [];
  const entries = profileNames.map((name) => {
    const lifetimeSeconds = lifetimes[name] ?? profileDefaults[name].lifetimeSeconds;
    const parsed = profileSchema.safeParse({ ...profileDefaults[name], lifetimeSeconds });
    for (const issue of parsed.error?.issues ?? []) {
      problems.push(`${name}.${issue.path.join('.')}: ${issue.message}`);
    }
    return [name, parsed.data && deepFreeze(parsed.data)] as const;
  });
  if (problems.length > 0) throw new CaError('config_invalid', `profiles: ${problems.join('; ')}`);
  return Object.freeze(Object.fromEntries(entries)) as Profiles;
}

/** @throws CaError profile_unknown */
export function pickProfile(profiles: Profiles, name: string): Profile {
  // hasOwn, not `in`: "constructor" is not a profile.
  if (!Object.hasOwn(profiles, name))
    throw new CaError('profile_unknown', `there is no profile "${name.slice(0, 40)}"`);
  return profiles[name as ProfileName];
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value)) {
    if (typeof inner === 'object' && inner !== null && !(inner instanceof RegExp)) deepFreeze(inner);
  }
  return Object.freeze(value);
}
