import { createMemo, For, type JSX, Show } from 'solid-js';
import { adminApi, type Trends as TrendsData } from '../../admin-api.ts';
import { formatBytes, formatNumber, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { createLoad, usePoll } from '../../load.ts';
import { stackSteps } from '../../parts/stacked-steps.ts';
import { plane, TimePlot, xOn, yOn } from '../../parts/time-plot.tsx';

const pollMs = 300_000;
const dayMs = 86_400_000;
const tints = [
  '--s-succeeded',
  '--s-installing',
  '--s-downloading',
  '--s-accepted',
  '--s-sent',
  '--s-stopped',
];
const otherTint = '--s-waiting';
const other = '';

type Range = { fromMs: number; toMs: number };
const rangeOf = ({ from, to }: TrendsData): Range => ({ fromMs: Date.parse(from), toMs: Date.parse(to) });

/** Devices that are online, and below the line of all there are. */
function Online(props: { trends: TrendsData } & Range): JSX.Element {
  const most = () => Math.max(2, ...props.trends.hours.map(({ total }) => total));
  const line = (of: 'online' | 'total') => {
    const x = xOn(props.fromMs, props.toMs);
    const points = props.trends.hours.map((hour) => `${x(Date.parse(hour.at))} ${yOn(hour[of] / most())}`);
    return points.length ? `M${points.join('L')}L${plane.width} ${points.at(-1)!.split(' ')[1]}` : '';
  };
  return (
    <TimePlot
      testid="trend-online"
      title={t('overview.trendOnline')}
      label={t('overview.trendOnlineLabel', { n: props.trends.hours.at(-1)?.online ?? 0 })}
      {...{ fromMs: props.fromMs, toMs: props.toMs, most: most() }}
      format={(n) => formatNumber(language(), Math.round(n))}
      keys={[
        { tint: '--accent', word: t('overview.online') },
        { tint: '--line-strong', word: t('overview.trendAll') },
      ]}
    >
      <path class="line all" d={line('total')} />
      <path class="line" d={line('online')} />
    </TimePlot>
  );
}

/** Shares of the versions that devices run, the commonest of today first. */
function VersionShares(props: { trends: TrendsData } & Range): JSX.Element {
  const names = createMemo(() => {
    const last = props.trends.hours.at(-1)?.versions ?? {};
    const all = new Set(props.trends.hours.flatMap(({ versions }) => Object.keys(versions)));
    return [...all].sort((a, b) => (last[b] ?? 0) - (last[a] ?? 0)).slice(0, tints.length);
  });
  const layers = createMemo(() => {
    const moments = props.trends.hours.map(({ at, total, versions }) => {
      const named = names().reduce((sum, name) => sum + (versions[name] ?? 0), 0);
      return { atMs: Date.parse(at), states: { ...versions, [other]: Math.max(0, total - named) } };
    });
    return stackSteps(moments, [...names(), other], props.toMs, xOn(props.fromMs, props.toMs), yOn);
  });
  const tintOf = (name: string) => tints[names().indexOf(name)] ?? otherTint;
  return (
    <TimePlot
      testid="trend-versions"
      title={t('overview.versions')}
      label={t('overview.trendVersionsLabel', { versions: names().join(', ') || t('common.none') })}
      {...{ fromMs: props.fromMs, toMs: props.toMs, most: 1 }}
      format={(share) => formatShare(language(), share)}
      keys={layers().map(({ state }) => ({ tint: tintOf(state), word: state || t('overview.trendOther') }))}
    >
      <For each={layers()}>
        {({ state, points }) => <polygon points={points} style={{ fill: `var(${tintOf(state)})` }} />}
      </For>
    </TimePlot>
  );
}

/** A bar for each day on which deployments were made: how many of their updates have succeeded. */
function Success(props: { trends: TrendsData } & Range): JSX.Element {
  const bars = () =>
    props.trends.updates.map(({ day, ended, succeeded }) => {
      const x = xOn(props.fromMs, props.toMs);
      const left = Math.max(0, x(Date.parse(day)));
      const right = Math.min(plane.width, x(Date.parse(day) + dayMs));
      return { left, width: Math.max(2, right - left - 3), share: succeeded / ended };
    });
  return (
    <TimePlot
      testid="trend-success"
      title={t('overview.trendSuccess')}
      label={t('overview.trendSuccessLabel', { n: props.trends.updates.length })}
      {...{ fromMs: props.fromMs, toMs: props.toMs, most: 1 }}
      format={(share) => formatShare(language(), share)}
    >
      <For each={bars()}>
        {({ left, width, share }) => (
          <>
            <rect class="bad" x={left} width={width} y={0} height={plane.height} />
            <rect class="good" x={left} width={width} y={yOn(share)} height={plane.height * share} />
          </>
        )}
      </For>
    </TimePlot>
  );
}

/** A bar for each day on which deployments were made: bytes of images that did not go over the air. */
function Saved(props: { trends: TrendsData } & Range): JSX.Element {
  const days = () => props.trends.patches;
  const sum = (of: 'applied' | 'fellBack' | 'savedBytes') => days().reduce((all, day) => all + day[of], 0);
  const most = () => Math.max(1, ...days().map(({ savedBytes }) => savedBytes));
  const bars = () =>
    days().map(({ day, savedBytes }) => {
      const x = xOn(props.fromMs, props.toMs);
      const left = Math.max(0, x(Date.parse(day)));
      const right = Math.min(plane.width, x(Date.parse(day) + dayMs));
      return { left, width: Math.max(2, right - left - 3), share: savedBytes / most() };
    });
  const words = () =>
    t('overview.trendSavedLabel', {
      bytes: formatBytes(language(), sum('savedBytes')),
      n: sum('applied'),
      fellBack: sum('fellBack'),
    });
  return (
    <TimePlot
      testid="trend-saved"
      title={`${t('overview.trendSaved')}: ${words()}`}
      label={words()}
      {...{ fromMs: props.fromMs, toMs: props.toMs, most: most() }}
      format={(n) => formatBytes(language(), Math.round(n))}
    >
      <For each={bars()}>
        {({ left, width, share }) => (
          <rect class="good" x={left} width={width} y={yOn(share)} height={plane.height * share} />
        )}
      </For>
    </TimePlot>
  );
}

/** A month of the fleet: an axis is as long as it says, also where nothing had been written down yet. */
export default function Trends(): JSX.Element {
  const load = createLoad(
    () => true,
    (_, signal) => adminApi.getTrends(signal),
    'at',
  );
  usePoll(pollMs, load.refetch);
  return (
    <Show when={load.data}>
      {(trends) => (
        <section aria-labelledby="trends">
          <h2 id="trends">{t('overview.trends')}</h2>
          <div class="trends">
            <Online trends={trends()} {...rangeOf(trends())} />
            <VersionShares trends={trends()} {...rangeOf(trends())} />
            <Success trends={trends()} {...rangeOf(trends())} />
            <Show when={trends().patches.length > 0}>
              <Saved trends={trends()} {...rangeOf(trends())} />
            </Show>
          </div>
        </section>
      )}
    </Show>
  );
}
