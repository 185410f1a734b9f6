/**
 * Guesses at passwords are slowed down, in PostgreSQL and not in memory: with several copies behind a balancer a guesser would have as
 * many tries as there are copies. Each attempt counts against its e-mail from its network, its network, and its e-mail from anywhere;
 * after some free failures each key waits, longer every time. A browser that has logged in to this e-mail before has a key of its
 * own instead, which nobody else can fill: so a stranger never keeps the owner out.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { and, eq, gt, inArray, lt, lte, sql } from 'drizzle-orm';
import { at } from '../db/clock.ts';
import type { Db } from '../db/query.ts';
import { AppError } from '../errors.ts';
import { sha256 } from './secrets.ts';
import { loginAttempts } from './table.ts';

interface Limit {
  /** Failures before anybody waits. */
  free: number;
  firstWaitMs: number;
  maxWaitMs: number;
}
const minute = 60_000;
/** Of a key in an hour at most: free + what fits into the waits (pair: 13; a spraying network: 34; an e-mail from everywhere: 160). */
export const limits = {
  pair: { free: 5, firstWaitMs: minute / 2, maxWaitMs: 15 * minute },
  /** More, for an office may sit behind one network. */
  network: { free: 20, firstWaitMs: minute / 2, maxWaitMs: 5 * minute },
  /** Many networks that guess at one e-mail: all but its known browsers share what is left. */
  email: { free: 100, firstWaitMs: 1000, maxWaitMs: minute },
  device: { free: 10, firstWaitMs: minute / 2, maxWaitMs: 15 * minute },
} satisfies Record<string, Limit>;
type Kind = keyof typeof limits;

/** How long a key is remembered after its last failure. */
const rememberMs = 24 * 60 * minute;

export interface Attempt {
  email: string;
  address: string;
  /** Hash of the token by which the browser is known for this e-mail. */
  device: string | null;
}

export interface Counted {
  key: string;
  count: number;
}

/**
 * Counts an attempt before the password is looked at, so that tries at the same time count too. Throws `too_many_attempts`, and then
 * counts nothing: waiting is enough. The answer is for `forgiveAttempt`.
 */
export async function countAttempt(db: Db, attempt: Attempt): Promise<Counted[]> {
  const now = Date.now();
  const keys = keysOf(attempt);
  // A flood costs one look each, and no lock.
  await refuseBlocked(db, keys, now);
  await db.delete(loginAttempts).where(lt(loginAttempts.forgetAt, new Date(now)));
  return db.transaction(async (tx) => {
    const counted: Counted[] = [];
    // Always in the order of the kinds, so that two logins never wait for each other crosswise.
    for (const [kind, key] of keys) {
      const [row] = await tx
        .insert(loginAttempts)
        .values({ key, count: 1, blockedUntil: new Date(now), forgetAt: new Date(now + rememberMs) })
        .onConflictDoUpdate({
          target: loginAttempts.key,
          set: {
            count: sql`${loginAttempts.count} + 1`,
            blockedUntil: sql`to_timestamp(${now / 1000}) + ${waitAfter(limits[kind])}`,
            forgetAt: new Date(now + rememberMs),
          },
          setWhere: lte(loginAttempts.blockedUntil, new Date(now)),
        })
        .returning({ key: loginAttempts.key, count: loginAttempts.count });
      if (!row) {
        await refuseBlocked(tx, keys, now);
        // Open again in between: what is not counted may not pass all the same.
        throw tooMany(1000);
      }
      counted.push(row);
    }
    return counted;
  });
}

/** Doubled for every failure beyond the free ones: `count` is still that of before this one. */
function waitAfter({ free, firstWaitMs, maxWaitMs }: Limit) {
  const beyond = sql`${loginAttempts.count} + 1 - ${free}::int`;
  return sql`interval '1 millisecond' * (case when ${beyond} <= 0 then 0 else
    least(${maxWaitMs}::int, ${firstWaitMs}::int * power(2, least(${beyond} - 1, 20))) end)`;
}

async function refuseBlocked(db: Db, keys: [Kind, string][], now: number): Promise<void> {
  const rows = await db
    .select({ until: loginAttempts.blockedUntil })
    .from(loginAttempts)
    .where(
      inArray(
        loginAttempts.key,
        keys.map(([, key]) => key),
      ),
    );
  const waitMs = Math.max(now, ...rows.map((r) => r.until.getTime())) - now;
  if (waitMs > 0) throw tooMany(waitMs);
}

function tooMany(waitMs: number): AppError {
  return new AppError('too_many_attempts', 'Too many failed logins: wait before the next one.', {
    retryAfterS: Math.ceil(waitMs / 1000),
  });
}

/** A login that succeeded was no guess: as if it had not been. Where somebody else has guessed meanwhile, that one's wait stays. */
export async function forgiveAttempt(db: Db, counted: Counted[]): Promise<void> {
  const isOwn = ({ key }: Counted) => key.startsWith('pair ') || key.startsWith('device ');
  for (const { key, count } of counted.filter(isOwn))
    await db.delete(loginAttempts).where(and(eq(loginAttempts.key, key), eq(loginAttempts.count, count)));
  await takeBackAttempt(
    db,
    counted.filter((one) => !isOwn(one)),
  );
}

/** This one was no guess, which says nothing of those before it: they go on counting. */
export async function takeBackAttempt(db: Db, counted: Counted[]): Promise<void> {
  for (const { key, count } of counted)
    await db
      .update(loginAttempts)
      .set({
        count: sql`${loginAttempts.count} - 1`,
        blockedUntil: sql`case when ${loginAttempts.count} = ${count}::int then ${new Date().toISOString()}::timestamptz else ${loginAttempts.blockedUntil} end`,
      })
      .where(eq(loginAttempts.key, key));
}

function keysOf({ email, address, device }: Attempt): [Kind, string][] {
  if (device) return [['device', `device ${device}`]];
  // Hashed, because people type their password into the wrong field.
  const name = sha256(email.toLowerCase());
  const network = networkOf(address);
  return [
    ['network', `network ${network}`],
    ['email', `email ${name}`],
    ['pair', `pair ${name} ${network}`],
  ];
}

/**
 * Of IPv4 the /24: who rents one address can often have its neighbours, and an owner whose neighbour guesses has a known browser. Of
 * IPv6 the /64, which is what one subscriber has.
 */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:/i, '');
  if (isIPv4(plain)) return `${plain.split('.').slice(0, 3).join('.')}.0/24`;
  if (!isIPv6(address) || address.includes('%')) return 'unknown';
  // The URL parser brings every spelling to one form.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail = ''] = canonical.split('::');
  const left = head.split(':').filter(Boolean);
  const right = tail.split(':').filter(Boolean);
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return `${[...left, ...zeros, ...right].slice(0, 4).join(':')}::/64`;
}

/** The clock went back: nobody waits for so long. */
export async function dropFuture(db: Db, now: number): Promise<void> {
  const longestMs = Math.max(...Object.values(limits).map(({ maxWaitMs }) => maxWaitMs));
  await db
    .update(loginAttempts)
    .set({ blockedUntil: at(now) })
    .where(gt(loginAttempts.blockedUntil, at(now + longestMs)));
}
