/** EMQX's limiter of one client (5.8, `emqx_htb_limiter`): who is faster than the rate is not read from, and loses nothing. */

/** What the limiter makes a client wait at once; then it is asked again. */
const pauseMs = { least: 50, most: 5_000 };

/**
 * A bucket of a second's worth, of which a tenth is there at the start. More than is there may be taken, as a socket's bytes have come
 * already; the client then waits until the debt is paid.
 */
export class Limiter {
  private tokens: number;
  private at: number;
  private readonly perSecond: number;

  constructor(perSecond: number, now = Date.now()) {
    this.perSecond = perSecond;
    this.tokens = perSecond / 10;
    this.at = now;
  }

  /** Returns for how many milliseconds nothing more is to be read; 0 when all is well. `take(0)` asks again. */
  take(count: number, now = Date.now()): number {
    if (this.perSecond === Number.POSITIVE_INFINITY) return 0;
    const refilled = this.tokens + (Math.max(0, now - this.at) * this.perSecond) / 1_000;
    this.at = now;
    this.tokens = Math.min(refilled, this.perSecond) - count;
    if (this.tokens >= 0) return 0;
    const debtMs = (-this.tokens / this.perSecond) * 1_000;
    return Math.min(Math.max(Math.ceil(debtMs), pauseMs.least), pauseMs.most);
  }
}
