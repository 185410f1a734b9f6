import type { Policy } from '../api.ts';
import { formatDuration, formatWeekday, weekdays } from '../format.ts';
import { language, t } from '../i18n/i18n.ts';

/** "22:00–05:00, Fri, Sat, by the clock of each region"; without one, at any time. No days named are all, as for the server. */
export function windowInWords(window: Policy['window']): string {
  if (!window) return t('plan.anyTime');
  const { from, to, days = weekdays } = window;
  const named = weekdays.filter((day) => days.includes(day)).map((day) => formatWeekday(language(), day));
  return t('plan.windowInWords', {
    from,
    to,
    days: named.length === weekdays.length ? t('plan.everyDay') : named.join(', '),
  });
}

export const joinersInWords = (ms: number | null) =>
  ms === null ? t('plan.noJoiners') : t('plan.joinFor', { duration: formatDuration(language(), ms) });

export const gateTimeoutInWords = (ms: number | null) =>
  ms === null ? t('plan.noGateTimeout') : t('plan.gateAfter', { duration: formatDuration(language(), ms) });

/** How long applications may put an update off, and what happens then. */
export const deferralInWords = ({ deferralMs, atDeadline }: Pick<Policy, 'deferralMs' | 'atDeadline'>) =>
  t(atDeadline === 'proceed' ? 'plan.deferralProceed' : 'plan.deferralGiveUp', {
    duration: formatDuration(language(), deferralMs ?? 0),
  });
