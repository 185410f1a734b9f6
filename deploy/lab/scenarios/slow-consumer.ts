import { outage } from '../outage/outage.ts';
import { until } from '../primitives/until.ts';

const rounds = 6;
const bytesPerSecond = 32;

export default outage({
  title: 'A device that reads slowly',
  about:
    'Two devices take 32 bytes a second while commands for all of them come: the others notice nothing, and these get there.',
  faults: ({ fleet }) => {
    const slow = fleet.ids.slice(0, 2);
    return [
      {
        kind: 'slow',
        name: `${slow.length} devices read ${bytesPerSecond} bytes a second`,
        strike: async () => slow.forEach((id) => void fleet.setSpeed(id, bytesPerSecond)),
        heal: async () => slow.forEach((id) => void fleet.setSpeed(id, null)),
      },
    ];
  },
  heldUp: 'none',
  async during({ fleet, talk, settings }) {
    const [slow, others] = [fleet.ids.slice(0, 2), fleet.ids.slice(2)];
    const due = talk.taken(others) + rounds * others.length;
    const before = talk.taken(slow);
    await talk.prepare(rounds);
    for (let i = 0; i < rounds; i++) await talk.ask();
    await until(
      () => talk.taken(others),
      (taken) => taken >= due,
      settings.recoveryMs,
    );
    const late = rounds * slow.length - (talk.taken(slow) - before);
    if (late <= 0) throw new Error('the slow devices were as fast as the others');
    return 0;
  },
});
