/** A disk of its own that can be full: a tmpfs, which only root can mount. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Disk {
  dir: string;
  /** Takes every byte that is left. */
  fill(): void;
  free(): void;
  remove(): void;
}

export function mountDisk(sizeMb: number): Disk {
  if (process.getuid?.() !== 0) throw new Error('only root can mount a disk that is small enough to fill');
  const dir = mkdtempSync(join(tmpdir(), 'flota-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMb}m`, 'tmpfs', dir]);
  const ballast = join(dir, 'ballast');
  return {
    dir,
    fill() {
      const file = openSync(ballast, 'a');
      // Ever smaller pieces, until not one page is left.
      for (let piece = 1024 * 1024; piece >= 4096; ) {
        try {
          writeSync(file, Buffer.alloc(piece));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
          piece /= 2;
        }
      }
      closeSync(file);
    },
    free: () => rmSync(ballast, { force: true }),
    remove() {
      execFileSync('umount', ['-l', dir]);
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
