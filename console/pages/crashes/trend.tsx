import { For, type JSX } from 'solid-js';
import type { CrashTrend } from '../../api.ts';
import { formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { plane, TimePlot, xOn, yOn } from '../../parts/time-plot.tsx';

const dayMs = 86_400_000;

/** A bar for each day (UTC). */
export function Trend(props: { days: CrashTrend }): JSX.Element {
  const fromMs = () => Date.parse(props.days[0]!.day);
  const toMs = () => Date.parse(props.days.at(-1)!.day) + dayMs;
  const most = () => Math.max(2, ...props.days.map((one) => one.reports));
  const bars = () =>
    props.days.map(({ day, reports }) => {
      const left = xOn(fromMs(), toMs())(Date.parse(day));
      const width = plane.width / props.days.length - 3;
      return { left, width, share: reports / most() };
    });
  return (
    <TimePlot
      testid="crash-trend"
      title={t('crashes.trend')}
      label={t('crashes.trendLabel', {
        n: props.days.reduce((sum, one) => sum + one.reports, 0),
        days: props.days.length,
      })}
      {...{ fromMs: fromMs(), toMs: toMs(), most: most() }}
      format={(value) => formatNumber(language(), Math.round(value))}
    >
      <For each={bars()}>
        {({ left, width, share }) => (
          <rect class="bad" x={left} width={width} y={yOn(share)} height={plane.height * share} />
        )}
      </For>
    </TimePlot>
  );
}
