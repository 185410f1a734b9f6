/**
 * The audit log's head, out of reach of whoever has the database: every hour, and when a copy stops, the CA signs it and remembers it, and it
 * is published as a line of the log and an object of the file store. Later the log must still contain it.
 */
import { text } from 'node:stream/consumers';
import { CaError, readWitnessedHead, type WitnessedHead } from '#ca/client.ts';
import type { Context } from '../context.ts';
import { AppError } from '../errors.ts';
import { paced } from '../paced.ts';
import * as audit from './audit.ts';
import { type Anchor, genesis, type Head, type Verdict, Verifier } from './chain.ts';

/** In the file store: the compact JWS of the last head. */
export const headName = 'audit/head.jws';
const everyMs = 3_600_000;
const everyDayMs = 24 * everyMs;
const retryMs = 60_000;

type Place = Pick<Context, 'authority' | 'db' | 'log' | 'metrics' | 'objects'>;

/** At the start of each copy, then every hour. A step of `background.ts`: its faults are its own, or sending would wait for the CA. */
export const createPublishHeads = () =>
  paced({ everyMs, retryMs }, async function publishHeads(place: Place) {
    return (await publishHead(place)) ? 'done' : 'failed';
  });

/**
 * Only what follows from the head that was witnessed last is signed: a log that was cut off or written anew is reported instead.
 * Returns false when that could not be done, which is logged.
 */
export async function publishHead(place: Place): Promise<boolean> {
  const { log, metrics, objects } = place;
  try {
    const head = await witnessHead(place);
    if ('broken' in head) {
      report(place, head.broken);
      return false;
    }
    metrics.count('flota_audit_heads_total', { outcome: 'signed' });
    log('info', 'audit head', { ...head });
    await objects.put(headName, head.jws, 'application/jose');
    return true;
  } catch (error) {
    metrics.count('flota_audit_heads_total', { outcome: 'failed' });
    log('warn', 'audit head not published', { error });
    return false;
  }
}

/**
 * The hourly look begins at the last head. This one begins at the first entry, at the start of each copy and once a day: who changes an older
 * entry without its hash, or with it, is noticed too. One page a round, so that neither memory nor the other steps feel a long log.
 */
export function createVerifyWhole() {
  let walk: { verifier: Verifier; readNext: () => Promise<boolean> } | null = null;
  return paced({ everyMs: everyDayMs, retryMs }, async function verifyWhole(place: Omit<Place, 'objects'>) {
    const { authority, db, log } = place;
    try {
      if (!walk) {
        // Before the log is read: it only grows. Without one, older entries may not be sealed yet.
        const last = await authority.witnessed();
        if (!last) throw new Error('no head has been signed yet');
        const verifier = new Verifier([{ ...last, source: 'witnessed' }]);
        walk = { verifier, readNext: audit.openReader(verifier, db) };
      }
      if (await walk.readNext()) return 'more';
      const { broken, entries } = walk.verifier.verdict();
      if (broken) report(place, broken);
      else log('info', 'audit log verified', { entries });
      walk = null;
      return 'done';
    } catch (error) {
      log('warn', 'audit log not verified', { error });
      walk = null;
      return 'failed';
    }
  });
}

function report({ log, metrics }: Pick<Place, 'log' | 'metrics'>, broken: Broken['broken']): void {
  metrics.count('flota_audit_heads_total', { outcome: 'broken' });
  log('error', 'the audit log is broken', broken);
}

type Broken = { broken: NonNullable<Verdict['broken']> };

/** Safe in any number of copies: the CA takes heads one at a time, and none that is shorter than its last. */
async function witnessHead({ authority, db }: Place): Promise<WitnessedHead | Broken> {
  const last = await authority.witnessed();
  if (!last) await db.transaction((tx) => audit.sealOlder(tx));
  else if (!(await audit.has(db, last)))
    return { broken: { id: last.id, reason: `it is gone or changed since it was witnessed at ${last.at}` } };
  const verdict = await audit.verify(db, [], last);
  if (verdict.broken) return { broken: verdict.broken };
  // Nothing but these: a head that was witnessed before comes with its time and signature.
  const { id, hash } = verdict.head ?? { id: 0, hash: genesis };
  return authority.witness({ id, hash });
}

export interface WitnessedVerdict extends Verdict {
  /** The head that was compared with; null when there was none yet. */
  witnessed: Omit<WitnessedHead, 'jws'> | null;
}

/**
 * The whole log, compared with the last head that the CA remembers, with the one in the file store, and with one that was written down.
 * @throws AppError ca_unavailable: without the CA's word nothing is certain
 */
export async function verifyLog(place: Place, expected: Head | null = null): Promise<WitnessedVerdict> {
  const anchors: Anchor[] = expected ? [{ ...expected, source: 'expected' }] : [];
  // Before the log is read: it only grows.
  const { last, published } = await readHeads(place);
  if (last) anchors.push({ ...last, source: 'witnessed' });
  if (published && published !== 'forged') anchors.push({ ...published, source: 'published' });
  const verdict = await audit.verify(place.db, anchors);
  const witnessed = last && { id: last.id, hash: last.hash, at: last.at };
  if (published !== 'forged' || verdict.broken) return { ...verdict, witnessed };
  const broken = {
    id: verdict.head?.id ?? 0,
    reason: `${headName} in the file store is not signed by the CA`,
  };
  return { ...verdict, valid: false, broken, witnessed };
}

async function readHeads({ authority, objects }: Place) {
  try {
    const [last, trust] = [await authority.witnessed(), await authority.trust()];
    const jws = await objects
      .open(headName)
      .then(({ stream }) => text(stream))
      .catch(() => null);
    const published = jws === null ? null : (readWitnessedHead(jws, trust.issuing) ?? ('forged' as const));
    return { last, published };
  } catch (error) {
    if (error instanceof CaError)
      throw new AppError('ca_unavailable', 'The CA, which remembers the last head, does not answer.', {
        cause: error,
      });
    throw error;
  }
}
