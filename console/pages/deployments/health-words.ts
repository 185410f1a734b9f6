import type { Deployment, HealthJudgement } from '../../api.ts';
import { formatBytes, formatNumber, formatShare } from '../../format.ts';
import { language, t, tMaybe } from '../../i18n/i18n.ts';

const dayMs = 86_400_000;

/** `metric:battery` is a name of the devices' own. */
export const signalInWords = (signal: string): string =>
  tMaybe(`health.signal.${signal}`) ?? signal.replace(/^metric:/, '');

/** A level of the signal, or a difference of two: shares of windows become times a day. */
export function formatSignal(signal: string, value: number, windowMs: number): string {
  switch (signal) {
    case 'restarts':
    case 'crashes':
    case 'disconnects':
      return t('health.perDay', { n: rounded((value * dayMs) / windowMs) });
    case 'offline':
      return value < 0 ? `−${formatShare(language(), -value)}` : formatShare(language(), value);
    case 'heap':
      return value < 0 ? `−${formatBytes(language(), -value)}` : formatBytes(language(), value);
    case 'rssi':
      return `${rounded(value)} dBm`;
    default:
      return rounded(value);
  }
}

const rounded = (value: number) => formatNumber(language(), Number(value.toPrecision(3)));

/** The last word on each signal, those that are worse first. */
export function latestOf(judgements: readonly HealthJudgement[]): HealthJudgement[] {
  const latest = new Map(judgements.map((one) => [one.signal, one]));
  return [...latest.values()].sort((a, b) => Number(b.verdict === 'worse') - Number(a.verdict === 'worse'));
}

type HealthPolicy = NonNullable<Deployment['policy']['health']>;

export const controlInWords = ({ control, afterwards }: HealthPolicy): string =>
  t(`health.control.${afterwards}`, {
    size: control.count === undefined ? `${control.percent} %` : t('common.devices', { n: control.count }),
  });
