/**
 * Keeps callers away from a broker that is down: after a call that failed for good nobody asks for a while, then one does,
 * and each failure makes the next pause longer.
 */
export interface Circuit {
  /** May this call go out? `once`: it is the one that finds out whether the broker is back, and does so with one attempt. */
  enter(): 'open' | 'once' | { waitMs: number };
  succeeded(): void;
  failed(): void;
}

export function createCircuit(options: { pauseMs?: number; maxPauseMs?: number } = {}): Circuit {
  const { pauseMs = 500, maxPauseMs = 15_000 } = options;
  let failures = 0;
  let until = 0;
  let asking = false;
  return {
    enter() {
      if (failures === 0) return 'open';
      const waitMs = until - Date.now();
      if (waitMs > 0 || asking) return { waitMs: Math.max(waitMs, 0) };
      asking = true;
      return 'once';
    },
    succeeded() {
      failures = 0;
      asking = false;
    },
    failed() {
      asking = false;
      // Calls that went out together fail together: they are one failure.
      if (until > Date.now()) return;
      const pause = Math.min(pauseMs * 2 ** failures++, maxPauseMs);
      // Jitter, or all copies of the webhook would be back at the same moment.
      until = Date.now() + pause * (0.5 + Math.random() / 2);
    },
  };
}
