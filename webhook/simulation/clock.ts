/** Virtual time: what happens next is whatever is due first; of two at the same moment, what was planned first. */
interface Entry {
  at: number;
  order: number;
  run: () => void;
}

export class Clock {
  now = 1_000_000;
  #order = 0;
  readonly #heap: Entry[] = [];

  after(delayMs: number, run: () => void): void {
    const heap = this.#heap;
    heap.push({ at: this.now + delayMs, order: this.#order++, run });
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!before(heap[i]!, heap[parent]!)) break;
      [heap[i], heap[parent]] = [heap[parent]!, heap[i]!];
      i = parent;
    }
  }

  /** False when nothing is planned until then. */
  advance(untilMs: number): boolean {
    const heap = this.#heap;
    const first = heap[0];
    if (!first || first.at > untilMs) return false;
    const last = heap.pop()!;
    if (heap.length) {
      heap[0] = last;
      for (let i = 0; ; ) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) {
          if (child < heap.length && before(heap[child]!, heap[least]!)) least = child;
        }
        if (least === i) break;
        [heap[i], heap[least]] = [heap[least]!, heap[i]!];
        i = least;
      }
    }
    this.now = first.at;
    first.run();
    return true;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
