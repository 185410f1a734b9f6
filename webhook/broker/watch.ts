/** Whether the broker's dashboard takes a password that everybody knows, for /metrics: nobody has to open the page about the broker. */
import { EmqxError } from '#emqx/api.ts';
import type { Context } from '../context.ts';
import { paced } from '../paced.ts';

const everyMs = 3_600_000;
const retryMs = 60_000;
/** Each copy tries the known passwords once; newer EMQX locks `admin` after five wrong ones in five minutes, so copies take their time. */
const spreadMs = 600_000;

type Place = Pick<Context, 'inspector' | 'metrics'>;

/** A step of `background.ts`. Until the first look, and where there is no broker to ask, the gauge is not there. */
export const createWatchPassword = (firstMs = Math.random() * spreadMs) =>
  paced({ everyMs, retryMs, firstMs }, async function watchPassword({ inspector, metrics }: Place) {
    if (!inspector) return 'done';
    try {
      const { defaultPassword } = await inspector.inspect();
      metrics.set('flota_broker_default_password', defaultPassword ? 1 : 0);
      return 'done';
    } catch (error) {
      // Whether the broker is there, others tell.
      if (!(error instanceof EmqxError)) throw error;
      return 'failed';
    }
  });
