export interface Output {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
  columns?: number | undefined;
}

export interface Progress {
  /** One more of the total is done. */
  advance(): void;
  /** A line of its own, above the bar. */
  note(text: string): void;
  end(): void;
}

const redrawMs = 100;
const lineMs = 5_000;

/** A bar on a terminal; elsewhere a plain line every tenth and every five seconds. */
export function showProgress(out: Output, total: number, before: number): Progress {
  const started = performance.now();
  let done = before;
  let drawnAt = Number.NEGATIVE_INFINITY;
  let tenth = Math.floor((done * 10) / total);

  function rate(): string {
    const perSecond = ((done - before) * 1000) / Math.max(1, performance.now() - started);
    const left = perSecond > 0 ? Math.ceil((total - done) / perSecond) : 0;
    return `${perSecond.toFixed(0)}/s${left > 0 ? `, ${left} s left` : ''}`;
  }

  function draw(force: boolean): void {
    const now = performance.now();
    if (out.isTTY) {
      if (!force && now - drawnAt < redrawMs) return;
      const text = ` ${done}/${total}  ${rate()}`;
      const width = Math.max(10, Math.min(40, (out.columns ?? 80) - text.length - 3));
      const filled = Math.floor((width * done) / total);
      out.write(`\r\x1b[K[${'#'.repeat(filled)}${'.'.repeat(width - filled)}]${text}`);
    } else {
      const reached = Math.floor((done * 10) / total);
      if (!force && reached === tenth && now - drawnAt < lineMs) return;
      tenth = reached;
      out.write(`${done} of ${total} devices, ${rate()}\n`);
    }
    drawnAt = now;
  }

  draw(true);
  return {
    advance() {
      done += 1;
      draw(done === total);
    },
    note(text) {
      out.write(out.isTTY ? `\r\x1b[K${text}\n` : `${text}\n`);
      if (out.isTTY) draw(true);
    },
    end() {
      if (out.isTTY) out.write('\n');
    },
  };
}
