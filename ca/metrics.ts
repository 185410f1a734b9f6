/** What an authority tells of itself, in Prometheus' text format 0.0.4. */
import { CaError, type PublishedCrl } from './client.ts';

export interface Meter {
  /** Counts a certificate, or the code of a refusal, and how long it took. */
  issue<T>(profile: string, run: () => Promise<T>): Promise<T>;
  /** Counts a refusal by its code, once however often it is told of it. */
  refuse(error: unknown): void;
  write(): string[];
}

const secondsBounds = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10];

export function createMeter(): Meter {
  const issued = new Map<string, number>();
  const refused = new Map<string, number>();
  const known = new WeakSet<object>();
  const buckets = secondsBounds.map(() => 0);
  const all = { sum: 0, count: 0 };
  const bump = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);

  function refuse(error: unknown): void {
    if (typeof error !== 'object' || error === null || known.has(error)) return;
    known.add(error);
    bump(refused, error instanceof CaError ? error.code : 'internal');
  }

  return {
    refuse,
    async issue(profile, run) {
      const start = performance.now();
      try {
        const answer = await run();
        const seconds = (performance.now() - start) / 1000;
        secondsBounds.forEach((bound, i) => {
          if (seconds <= bound) buckets[i]! += 1;
        });
        all.sum += seconds;
        all.count += 1;
        bump(issued, profile);
        return answer;
      } catch (error) {
        refuse(error);
        throw error;
      }
    },
    write: () => [
      ...family('flota_ca_issued_total', 'counter', 'Certificates handed out, by profile', [
        ...[...issued].map(([profile, n]) => [`{profile="${profile}"}`, n] as const),
      ]),
      ...family('flota_ca_refused_total', 'counter', 'Requests refused, by code', [
        ...[...refused].map(([code, n]) => [`{code="${code}"}`, n] as const),
      ]),
      ...family('flota_ca_issue_seconds', 'histogram', 'From request to certificate, without waiting', [
        ...secondsBounds.map((bound, i) => [`_bucket{le="${bound}"}`, buckets[i]!] as const),
        ['_bucket{le="+Inf"}', all.count],
        ['_sum', all.sum],
        ['_count', all.count],
      ]),
    ],
  };
}

/** `issuers`: the one that signs first. Dates in ms since 1970. */
export function writeValidity(
  issuers: readonly { number: number; notAfter: Date }[],
  crls: (PublishedCrl & { madeAt: number })[],
  now: number,
): string[] {
  const seconds = (ms: number) => Math.round(ms / 1000);
  return [
    ...family('flota_ca_issuing_end_seconds', 'gauge', 'When the issuing CA that signs ends, since 1970', [
      ...issuers
        .slice(0, 1)
        .map(({ number, notAfter }) => [`{number="${number}"}`, seconds(+notAfter)] as const),
    ]),
    ...family('flota_ca_crl_age_seconds', 'gauge', 'Age of the CRL', [
      ...crls.map(({ name, madeAt }) => [`{crl="${name}"}`, seconds(now - madeAt)] as const),
    ]),
    ...family('flota_ca_crl_next_update_seconds', 'gauge', 'When the CRL ends, since 1970', [
      ...crls.map(({ name, nextUpdate }) => [`{crl="${name}"}`, seconds(Date.parse(nextUpdate))] as const),
    ]),
  ];
}

/** Values with what follows the name: labels, and of a histogram its part. */
export function family(
  name: string,
  type: 'counter' | 'gauge' | 'histogram',
  help: string,
  values: readonly (readonly [string, number])[],
): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...values.map(([rest, n]) => `${name}${rest} ${n}`),
  ];
}
