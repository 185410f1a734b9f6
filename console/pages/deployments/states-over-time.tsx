import { createMemo, For, type JSX, Show } from 'solid-js';
import { api, type Deployment, type Moment } from '../../api.ts';
import { formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { stackSteps } from '../../parts/stacked-steps.ts';
import { countsInWords, stateWord } from '../../parts/state.tsx';
import { barOrder, lookOf } from '../../parts/state-tone.ts';
import { nowMs } from '../../parts/time.tsx';
import { TimePlot, xOn, yOn } from '../../parts/time-plot.tsx';
import { createThrottle } from '../../throttle.ts';

const throttleMs = 3_000;

/** How the deployment came to where it is: the share of its devices in each state, from its beginning to its end or to now. */
export default function StatesOverTime(props: { deployment: Deployment }): JSX.Element {
  const load = createLoad(
    () => props.deployment.id,
    async (id, signal) => ({ moments: await api.listMoments(id, signal) }),
    'at',
  );
  useLive('deployment', () => props.deployment.id, createThrottle(load.refetch, throttleMs));
  const moments = createMemo(() =>
    (load.data?.moments ?? []).map(({ at, counts }: Moment) => ({ atMs: Date.parse(at), states: counts })),
  );
  const fromMs = () => moments()[0]!.atMs;
  const toMs = () => {
    const { finishedAt } = props.deployment;
    return Math.max(fromMs() + 1_000, finishedAt ? Date.parse(finishedAt) : nowMs());
  };
  const layers = createMemo(() =>
    moments().length ? stackSteps(moments(), barOrder, toMs(), xOn(fromMs(), toMs()), yOn) : [],
  );
  const tintOf = (state: string) => lookOf(state as (typeof barOrder)[number]).tint;
  return (
    <Show when={moments().length > 1}>
      <TimePlot
        testid="states-over-time"
        title={t('deployment.overTime')}
        label={t('deployment.overTimeLabel', { states: countsInWords(props.deployment.counts) })}
        fromMs={fromMs()}
        toMs={toMs()}
        most={1}
        format={(share) => formatShare(language(), share)}
        keys={layers().map(({ state }) => ({
          tint: tintOf(state),
          word: stateWord(state as (typeof barOrder)[number]),
        }))}
      >
        <For each={layers()}>
          {({ state, points }) => <polygon points={points} style={{ fill: `var(${tintOf(state)})` }} />}
        </For>
      </TimePlot>
    </Show>
  );
}
