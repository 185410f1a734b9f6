/** Which crashes are the same one: of the same ELF, at the same place. Pure. */
import { createHash } from 'node:crypto';
import type { Crash } from '#emqx/protocol.ts';

/** Deep enough to tell callers of `abort` apart, and not so deep that each way to a place is another crash. */
export const topFrames = 6;
/** Devices know the SHA-256 of their ELF whole or its beginning; so much of it they all know. */
const elfDigits = 8;

/** The calls, the crashed one first. A backtrace begins with the program counter, or with its caller. */
export function framesOf({ pc, backtrace }: Pick<Crash, 'pc' | 'backtrace'>): string[] {
  const frames = backtrace.map(normalise);
  const crashed = normalise(pc);
  return frames[0] === crashed ? frames : [crashed, ...frames];
}

export function signatureOf(crash: Pick<Crash, 'elf' | 'pc' | 'backtrace'>): string {
  const parts = [crash.elf.slice(0, elfDigits), ...framesOf(crash).slice(0, topFrames)];
  return createHash('sha256').update(parts.join('\n')).digest('hex');
}

function normalise(address: string): string {
  return `0x${BigInt(address).toString(16)}`;
}
