import type { Rig } from './rig.ts';

export interface Case {
  /** What a device must do, as a sentence. */
  name: string;
  /** In the selection that runs with every test. */
  short?: true;
  /** Only for a device whose storage can be made to forget what was not synced (`lossy.c`). */
  needsLossyStorage?: true;
  /** Only for a device whose application can be made to put an update off (`--hold-install`, `--hold-reboot`). */
  needsHold?: true;
  /** Only for a device that runs images which crash (`crash` of firmware/virtual/image.ts). */
  needsCrash?: true;
  /** Only for a device that says that it takes patches. */
  needsPatches?: true;
  /** Only for a device that says that it takes compressed images. */
  needsCompressed?: true;
  /** Only for a device that says that it opens sealed objects. */
  needsSealed?: true;
  /** Throws when the device does something else. The device is off when it begins. */
  run(rig: Rig): Promise<void>;
}
