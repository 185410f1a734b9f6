import { Disk } from '#firmware/virtual/disk.ts';
import { Memory } from '#firmware/virtual/memory.ts';
import type { Medium } from '#firmware/virtual/port.ts';

/**
 * The storage of a device of a fleet: in memory, where the images that devices have in common are there once. It outlives every life of the
 * device, but not the process; the identity that enrolment has left on disk is taken along.
 */
export function crewMedium(dir: string): Medium {
  const memory = new Memory();
  const identity = new Disk(dir, false).read('identity.json');
  if (identity) memory.write('identity.json', identity);
  return memory;
}
