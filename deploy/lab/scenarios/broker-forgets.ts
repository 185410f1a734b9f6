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
          // Commands for one that does not know yet that it is cut off are lost: nobody has its session.
          const cutOff = until('every device to be cut off', () => online() === 0, settings.recoveryMs);
          await Promise.all([restart.strike(), cutOff]);
          await restart.heal();
          await down.heal();
          await until(online, (count) => count === fleet.ids.length, settings.recoveryMs);
        },
      },
    ];
  },
});
