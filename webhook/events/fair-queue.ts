/**
 * Events that wait for a commit group: a line a device, and turns go round the devices. So one that floods fills neither a group nor the
 * queue. (The CA has a queue of its own, `ca/fair-queue.ts`: it starts single jobs, for callers of callers, and neither side may
 * import the other.)
 */
export interface FairQueue<T> {
  readonly length: number;
  /** False when the queue is full, or the device's share of it. */
  add(device: string, item: T): boolean;
  /** At most so many: of each device one, then the next of each, and so on; those of one device in the order in which they came. */
  take(count: number): T[];
}

/** Of what is still free. As in a switch whose ports share one memory: however many flood, some room is left for the others. */
const share = 1 / 10;

export function createFairQueue<T>(capacity: number): FairQueue<T> {
  /** In the order of their next turn: a Map keeps the order of insertion, and a line that had its turn goes to the end. */
  const lines = new Map<string, T[]>();
  let length = 0;
  return {
    get length() {
      return length;
    },
    add(device, item) {
      const line = lines.get(device);
      const free = capacity - length;
      if (free <= 0 || (line && line.length >= free * share)) return false;
      if (line) line.push(item);
      else lines.set(device, [item]);
      length += 1;
      return true;
    },
    take(count) {
      const taken: T[] = [];
      // Goes on with the lines that it puts back at the end.
      for (const [device, line] of lines) {
        if (taken.length === count) break;
        taken.push(line.shift()!);
        lines.delete(device);
        if (line.length > 0) lines.set(device, line);
      }
      length -= taken.length;
      return taken;
    },
  };
}
