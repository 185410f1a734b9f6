/** Of which devices it is time to note that they were heard of: each is noted once in a while, not with each message. */
export interface Heard {
  /** Those of the devices that are due; they then are not for a while. */
  take(deviceIds: string[], now: number): string[];
}

/** Longer than a command's lease: what a device says is no proof that it hears (`markDeaf`), so it may not be noted all the time. */
export const heardEveryMs = 120_000;

export function createHeard(): Heard {
  let noted = new Set<string>();
  let began = 0;
  return {
    take(deviceIds, now) {
      if (now - began >= heardEveryMs || now < began) [noted, began] = [new Set(), now];
      const due = [...new Set(deviceIds)].filter((id) => !noted.has(id));
      for (const id of due) noted.add(id);
      return due;
    },
  };
}
