import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '#webhook/log.ts';
import { defaultOptions } from '../system/options.ts';
import { type System, startSystem } from '../system/system.ts';

/** A Flota of its own for one experiment, in this process; the devices are in others. It goes with its directory. */
export async function openSubject(options: { certificateMs?: number | null } = {}): Promise<System> {
  const dataDir = mkdtempSync(join(tmpdir(), 'flota-fleet-'));
  const remove = () => rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 });
  try {
    const { certificateMs } = options;
    const system = await startSystem({
      ...defaultOptions,
      dataDir,
      log: createLog('error', (line) => process.stderr.write(line)),
      deviceCertificateSeconds: certificateMs ? Math.round(certificateMs / 1000) : null,
    });
    return { ...system, close: () => system.close().finally(remove) };
  } catch (error) {
    remove();
    throw error;
  }
}
