import { failing, kill } from '../faults.ts';
import { outage } from '../outage/outage.ts';
import { until } from '../primitives/until.ts';

export default outage({
  title: 'The broker restarts while the webhook is down',
  about:
    'It forgets what it had queued for the webhook, and who was connected: devices come back and say it again.',
  faults: ({ system, broker, online, fleet, settings }) => {
    // A real EMQX that nobody said how to restart.
    if (!broker) return [];
    const [down, restart] = [failing(system.gate!, 'refuse'), kill(broker)];
    return [
      {
        kind: 'kill',
        name: `${down.name} and the broker is restarted`,
        strike: down.strike,
        async heal() {
          await restart.strike();
          await restart.heal();
          await down.heal();
          await until(online, (count) => count === fleet.ids.length, settings.recoveryMs);
        },
      },
    ];
  },
});
