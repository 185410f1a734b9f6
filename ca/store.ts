import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProfileName, RevocationReason } from './client.ts';
import { createFile } from './durable-files.ts';
import { Journal, type Place } from './journal.ts';

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
  /** Key identifier (hex) of the issuing CA. */
  issuer: string;
  fingerprint: string;
  notBefore: string;
  notAfter: string;
};
export type CertificateRecord = ReservedRecord | IssuedRecord;

export interface Revocation {
  serial: string;
  issuer: string;
  reason: RevocationReason;
  revokedAt: string;
  notAfter: string;
}

export interface CertificateStore {
  /** False when the serial is taken. On disk when it resolves. */
  reserve(record: ReservedRecord): Promise<boolean>;
  /** On disk when it resolves. */
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
 * Records are lines of a journal (`records/`, one segment a process), found by an index in memory: about 300 bytes for each
 * certificate, read again at start. Revocations are a file each, so that every process sees them at once.
 */
export async function openStore(dir: string): Promise<CertificateStore> {
  const journal = new Journal(join(dir, 'records'));
  const bySerial = new Map<string, number>();
  const byRequest = new Map<string, number>();
  const revocation = (serial: string) =>
    join(dir, 'revoked', serial.slice(0, 2).toLowerCase(), `${serial}.json`);

  function remember(record: CertificateRecord, place: Place): void {
    const packed = pack(place);
    bySerial.set(record.serial, packed);
    if (record.state === 'issued') byRequest.set(shorten(record.requestDigest), packed);
  }

  async function refresh(): Promise<void> {
    await journal.readNew((line, place) => {
      const record = parse(line);
      // `issued` comes behind `reserved` in the same segment.
      if (record) remember(record, place);
    });
  }
  let refreshing: Promise<void> | undefined;
  const refreshOnce = () =>
    (refreshing ??= refresh().finally(() => {
      refreshing = undefined;
    }));

  async function read(packed: number | undefined): Promise<CertificateRecord | undefined> {
    return packed === undefined ? undefined : parse(await journal.read(unpack(packed)));
  }

  await refresh();
  return {
    async reserve(record) {
      if (bySerial.has(record.serial)) return false;
      bySerial.set(record.serial, taken);
      try {
        remember(record, await journal.append(JSON.stringify(record)));
      } catch (error) {
        bySerial.delete(record.serial);
        throw error;
      }
      return true;
    },
    async complete(record) {
      remember(record, await journal.append(JSON.stringify(record)));
    },
    async get(serial) {
      if (!serialPattern.test(serial)) return undefined;
      // Another process may have issued it, or finished what we have seen reserved.
      const known = bySerial.get(serial);
      const record = known === taken ? undefined : await read(known);
      if (record?.state === 'issued') return record;
      await refreshOnce();
      const packed = bySerial.get(serial);
      return packed === taken ? undefined : read(packed);
    },
    async findByRequest(requestDigest) {
      const record = await read(byRequest.get(shorten(requestDigest)));
      return record?.requestDigest === requestDigest ? record : undefined;
    },
    revoke: (entry) => createFile(revocation(entry.serial), JSON.stringify(entry), 0o600),
    async getRevocation(serial) {
      return serialPattern.test(serial) ? readJson<Revocation>(revocation(serial)) : undefined;
    },
    async listRevocations() {
      const found: Revocation[] = [];
      for (const shard of await list(join(dir, 'revoked'))) {
        for (const file of await list(join(dir, 'revoked', shard))) {
          const entry =
            file.endsWith('.json') && (await readJson<Revocation>(join(dir, 'revoked', shard, file)));
          if (entry) found.push(entry);
        }
      }
      return found.sort((a, b) => a.revokedAt.localeCompare(b.revokedAt) || a.serial.localeCompare(b.serial));
    },
  };
}

/** A serial whose reservation is on its way to the disk. */
const taken = -1;
const offsetRange = 2 ** 36;

/** One number instead of an object: there is one for each certificate. 64 GiB a segment, 131,072 segments. */
function pack({ segment, offset }: Place): number {
  return segment * offsetRange + offset;
}

function unpack(packed: number): Place {
  return { segment: Math.floor(packed / offsetRange), offset: packed % offsetRange };
}

/** 128 bits find the record; the record itself has the whole digest. */
function shorten(requestDigest: string): string {
  return requestDigest.slice(0, 32);
}

/** Undefined for a line that a power cut has torn: nobody was told that it was written. */
function parse(line: string): CertificateRecord | undefined {
  try {
    return JSON.parse(line) as CertificateRecord;
  } catch {
    return undefined;
  }
}

async function readJson<T>(path: string): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
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
