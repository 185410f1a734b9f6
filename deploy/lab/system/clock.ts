/** The clock of processes that we start: Debian's libfaketime, which reads an offset from a file whenever a program asks for the time. */
import { existsSync } from 'node:fs';

const libraries = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map(
  (machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`,
);

/** Environment of a process whose wall clock is shifted by what `file` says (`+0`, `+1d`); how time passes is left alone. */
export function fakedClock(file: string): Record<string, string> {
  const library = libraries.find((path) => existsSync(path));
  if (!library) throw new Error('libfaketime is needed (Debian: faketime)');
  return {
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    DONT_FAKE_MONOTONIC: '1',
  };
}
