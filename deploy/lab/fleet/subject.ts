import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '#webhook/log.ts';
import { openDatabaseInMemory } from '../system/kept-database.ts';
import { defaultOptions } from '../system/options.ts';
import { type System, startSystem } from '../system/system.ts';
import type { Subject } from './experiment.ts';

/** From here on, connections would wait in vain for a process that also runs the database: broker and store get processes of their own. */
const largeFleet = 1_000;

/**
 * A Flota of its own for one experiment; the devices are in other processes. It goes with its directory. With a PostgreSQL its parts are as in
 * production: each a process of its own.
 */
export async function openSubject(
  options: { certificateMs?: number | null; devices?: number; databaseUrl?: string } = {},
): Promise<System & Pick<Subject, 'signer'>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'flota-fleet-'));
  const remove = () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
  try {
    const { certificateMs, devices = 0, databaseUrl } = options;
    const system = await startSystem({
      ...defaultOptions,
      dataDir,
      ...(devices > largeFleet && { apart: ['broker', 'store'] }),
      // It goes with its directory: what a disk and a key that nobody may read cost is no part of an experiment.
      ...(databaseUrl
        ? { databaseUrl, apart: ['broker', 'store', 'ca', 'webhook'] }
        : { openDatabase: openDatabaseInMemory, authority: { dir: join(dataDir, 'ca') } }),
      log: createLog('error', (line) => process.stderr.write(line)),
      deviceCertificateSeconds: certificateMs ? Math.round(certificateMs / 1000) : null,
    });
    return {
      ...system,
      ...(!system.signsItself && { signer: system.signing }),
      close: () => system.close().finally(remove),
    };
  } catch (error) {
    remove();
    throw error;
  }
}
