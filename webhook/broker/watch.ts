/** Whether the broker's dashboard takes a password that everybody knows, for /metrics: nobody has to open the page about the broker. */
import { EmqxError } from '#emqx/api.ts';
import type { Context } from '../context.ts';

const everyMs = 3_600_000;
const retryMs = 60_000;
/** Each copy tries the known passwords once; newer EMQX locks `admin` after five wrong ones in five minutes, so copies take their time. */
const spreadMs = 600_000;

/** A step of `background.ts`. Until the first look, and where there is no broker to ask, the gauge is not there. */
export function createWatchPassword(firstMs = Math.random() * spreadMs) {
  let next = performance.now() + firstMs;
  return async function watchPassword({
    inspector,
    metrics,
  }: Pick<Context, 'inspector' | 'metrics'>): Promise<boolean> {
    if (!inspector || performance.now() < next) return false;
    next = performance.now() + retryMs;
    try {
      const { defaultPassword } = await inspector.inspect();
      metrics.set('flota_broker_default_password', defaultPassword ? 1 : 0);
      next = performance.now() + everyMs;
    } catch (error) {
      // Whether the broker is there, others tell.
      if (!(error instanceof EmqxError)) throw error;
    }
    return false;
  };
}
