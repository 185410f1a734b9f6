import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProfileName, RevocationReason } from './client.ts';
import { createFile, replaceFile, replaceLink } from './durable-files.ts';

interface RecordBase {
  serial: string;
  profile: ProfileName;
  commonName: string;
  /** SHA-256 over CSR, profile and name: finds the answer to a repeated request. */
  requestDigest: string;
  /** RFC 3339, as all times here. */
  reservedAt: string;
}
/** `reserved`: the serial is taken; a certificate with it may or may not have been signed, and was never handed out. */
export type ReservedRecord = RecordBase & { state: 'reserved' };
export type IssuedRecord = RecordBase & {
  state: 'issued';
  certificate: string;
  chain: string;
  fingerprint: string;
  notBefore: string;
  notAfter: string;
};
export type CertificateRecord = ReservedRecord | IssuedRecord;

export interface Revocation {
  serial: string;
  reason: RevocationReason;
  revokedAt: string;
  notAfter: string;
}

export interface CertificateStore {
  /** False when the serial is taken. */
  reserve(record: ReservedRecord): Promise<boolean>;
  complete(record: IssuedRecord): Promise<void>;
  get(serial: string): Promise<CertificateRecord | undefined>;
  findByRequest(requestDigest: string): Promise<CertificateRecord | undefined>;
  /** False when it had been revoked before. */
  revoke(revocation: Revocation): Promise<boolean>;
  getRevocation(serial: string): Promise<Revocation | undefined>;
  listRevocations(): Promise<Revocation[]>;
}

const serialPattern = /^[0-9A-F]{2,40}$/;

/**
 * One file a record, in 256 directories by the first byte of its name. `records/` is written through to the disk before
 * anything is signed; `requests/` is an index of symbolic links, digest → serial, whose loss does no harm (a repeated
 * request then gets a second certificate).
 */
export function openStore(dir: string): CertificateStore {
  const place = (folder: string, name: string) =>
    join(dir, folder, name.slice(0, 2).toLowerCase(), `${name}.json`);
  const request = (digest: string) => join(dir, 'requests', digest.slice(0, 2), digest);

  async function get(serial: string): Promise<CertificateRecord | undefined> {
    if (!serialPattern.test(serial)) return undefined;
    return readJson<CertificateRecord>(place('records', serial));
  }

  return {
    get,
    reserve: (record) => createFile(place('records', record.serial), JSON.stringify(record), 0o600),
    async complete(record) {
      await replaceFile(place('records', record.serial), JSON.stringify(record), 0o600);
      await replaceLink(request(record.requestDigest), record.serial);
    },
    async findByRequest(requestDigest) {
      const serial = await readLink(request(requestDigest));
      return serial === undefined ? undefined : get(serial);
    },
    revoke: (revocation) =>
      createFile(place('revoked', revocation.serial), JSON.stringify(revocation), 0o600),
    async getRevocation(serial) {
      return serialPattern.test(serial) ? readJson<Revocation>(place('revoked', serial)) : undefined;
    },
    async listRevocations() {
      const found: Revocation[] = [];
      for (const shard of await list(join(dir, 'revoked'))) {
        for (const file of await list(join(dir, 'revoked', shard))) {
          const revocation =
            file.endsWith('.json') && (await readJson<Revocation>(join(dir, 'revoked', shard, file)));
          if (revocation) found.push(revocation);
        }
      }
      return found.sort((a, b) => a.revokedAt.localeCompare(b.revokedAt) || a.serial.localeCompare(b.serial));
    },
  };
}

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function readLink(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function list(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
