import type { Rig } from './rig.ts';

export interface Case {
  /** What a device must do, as a sentence. */
  name: string;
  /** In the selection that runs with every test. */
  short?: true;
  /** Only for a device whose storage can be made to forget what was not synced (`lossy.c`). */
  needsLossyStorage?: true;
  /** Throws when the device does something else. The device is off when it begins. */
  run(rig: Rig): Promise<void>;
}
