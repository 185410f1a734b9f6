import { clockJump } from '../faults.ts';
import { outage } from '../outage/outage.ts';
import { until } from '../primitives/until.ts';

const dayMs = 86_400_000;

export default outage({
  title: "The servers' clock jumps",
  about:
    'Webhook, database, broker, store and CA are a day ahead, then a day behind: what devices say is stored all the same.',
  site: 'processes',
  faults: ({ clockFile }) => (['+1d', '-1d'] as const).map((by) => clockJump(clockFile!, by, 'every server')),
  heldUp: 'none',
  async during({ system, settings }) {
    // Asked of the copy itself: the proxy has a clock of its own.
    const ahead = async () => {
      const { headers } = await fetch(system.metricsUrls[0]!);
      return Math.abs(Date.parse(headers.get('date')!) - Date.now());
    };
    await until(ahead, (ms) => ms > dayMs / 2, settings.recoveryMs);
    return 0;
  },
});
