import type { NotificationDelivery, NotificationRule } from '../../admin-api.ts';
import { glyphs } from '../../parts/glyphs.ts';
import type { Tone } from '../../parts/state-tone.ts';

/** As the webhook has them; that none is left out, the compiler checks. */
const order: Record<NotificationRule['kinds'][number], number> = {
  deployment_waiting: 0,
  deployment_halted: 0,
  deployment_completed: 1,
  certificate_expiring: 2,
  device_silent: 3,
  crash_group_new: 4,
  group_matches: 5,
  broker_losing_rows: 6,
  dead_letters: 7,
};
export const eventKinds = Object.keys(order) as (keyof typeof order)[];
export const severities = ['info', 'warning', 'critical'] as const;

export const deliveryStates = ['waiting', 'delivered', 'dead'] as const;
export const looks: Record<NotificationDelivery['state'], { tone: Tone; glyph: string }> = {
  waiting: { tone: 'stopped', glyph: glyphs.dots },
  delivered: { tone: 'good', glyph: glyphs.check },
  dead: { tone: 'bad', glyph: glyphs.cross },
};
