/** The ELF that an image was made from, as the image says. Apart from `elfs.ts`, which needs firmwares. */
import type { Db } from '../db/query.ts';
import { firmwareElfs } from './table.ts';

/** Within the registration of the firmware. */
export async function note(tx: Db, firmwareId: string, sha256: string | undefined): Promise<void> {
  if (sha256) await tx.insert(firmwareElfs).values({ firmwareId, sha256, namedByImage: true });
}
