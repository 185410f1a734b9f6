/**
 * The CA as witness of the webhook's audit log: it signs the log's head and remembers the last one, which whoever has the database (and the
 * file store) can neither forge nor make it forget.
 */
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import * as asn1 from 'asn1js';
import * as pkijs from 'pkijs';
import { CaError } from './client.ts';
import { replaceFile } from './durable-files.ts';
import type { Hierarchy } from './hierarchy.ts';
import { withLock } from './lock.ts';
import {
  type Attested,
  encodePart,
  evidenceHeader,
  headHeader,
  type LogHead,
  type WitnessedHead,
} from './witnessed-head.ts';

export interface Witness {
  /**
   * Signs it, and keeps it as the last.
   * @throws CaError head_conflict when it is older than the last one, or another of the same length
   */
  witness(head: LogHead): Promise<WitnessedHead>;
  /** The last one; null before the first. */
  witnessed(): Promise<WitnessedHead | null>;
  /** Signs the digest of evidence; nothing of it is kept here. */
  attest(sha256: string): Promise<Attested>;
}

const fileName = 'audit-head.json';

export function createWitness(context: { dir: string; hierarchy: Hierarchy; now: () => number }): Witness {
  const { dir, hierarchy, now } = context;
  const sign = async <T extends object>(header: object, payload: T): Promise<T & { jws: string }> => {
    const [issuer] = await hierarchy.issuers();
    const signed = `${encodePart(header)}.${encodePart(payload)}`;
    const signature = toRaw(await issuer!.signer.sign(Buffer.from(signed)));
    return { ...payload, jws: `${signed}.${signature.toString('base64url')}` };
  };
  const at = () => new Date(now()).toISOString();
  return {
    attest: (sha256) => sign(evidenceHeader, { sha256, at: at() }),
    witnessed: () => readLast(dir),
    witness: ({ id, hash }) =>
      withLock(dir, async () => {
        const last = await readLast(dir);
        if (last && (id < last.id || (id === last.id && hash !== last.hash))) {
          throw new CaError('head_conflict', `the audit log was witnessed as ${last.id}:${last.hash} before`);
        }
        const witnessed = await sign(headHeader, { id, hash, at: at() });
        await replaceFile(join(dir, fileName), JSON.stringify(witnessed), 0o600);
        return witnessed;
      }),
  };
}

/** For a database that was replaced on purpose: the next head begins anew. What was witnessed is kept beside it, and returned. */
export function forgetHead(dir: string): Promise<WitnessedHead | null> {
  return withLock(dir, async () => {
    const last = await readLast(dir);
    if (last) await rename(join(dir, fileName), join(dir, `audit-head.${last.at.replaceAll(':', '')}.json`));
    return last;
  });
}

/** @throws CaError hierarchy_damaged: one that cannot be read must not pass for none */
async function readLast(dir: string): Promise<WitnessedHead | null> {
  try {
    return JSON.parse(await readFile(join(dir, fileName), 'utf8')) as WitnessedHead;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new CaError('hierarchy_damaged', `${fileName} in ${dir} cannot be read`, { cause });
  }
}

/** RFC 7518 §3.4: R and S side by side, not the DER of RFC 3279. */
function toRaw(signature: Uint8Array): Buffer {
  const { result } = asn1.fromBER(new Uint8Array(signature));
  return Buffer.from(pkijs.createECDSASignatureFromCMS(result, 32));
}
