import { createSignal, For, type JSX, Show } from 'solid-js';
import { api, type Deployment, type HealthJudgement } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Sign } from '../../parts/state.tsx';
import { lookOf } from '../../parts/state-tone.ts';
import { Chart } from '../devices/chart.tsx';
import { toChart } from './health-chart.ts';
import { formatSignal, latestOf, signalInWords } from './health-words.ts';

type Gate = NonNullable<Deployment['policy']['health']>;

const looks = {
  worse: lookOf('failed'),
  better: lookOf('succeeded'),
  no_worse: lookOf('succeeded'),
  undecided: lookOf('pending'),
} as const;

function Signal(props: { latest: HealthJudgement; all: HealthJudgement[]; gate: Gate }): JSX.Element {
  const [reading, setReading] = createSignal<string | null>(null);
  const format = (value: number) => formatSignal(props.latest.signal, value, props.gate.windowMs);
  const look = () => looks[props.latest.verdict];
  const mine = () => props.all.filter(({ signal }) => signal === props.latest.signal);
  const numbers = () =>
    t('health.numbers', {
      treated: format(props.latest.treatedLevel),
      devices: props.latest.treatedDevices,
      control: format(props.latest.controlLevel),
      others: props.latest.controlDevices,
    });
  const interval = () =>
    t('health.interval', {
      low: format(props.latest.low),
      high: format(props.latest.high),
      margin: format(props.latest.margin),
    });
  return (
    <figure class="chart" data-testid="health-signal" data-verdict={props.latest.verdict}>
      <figcaption>
        <span>
          {signalInWords(props.latest.signal)}{' '}
          <Sign tone={look().tone} glyph={look().glyph} filled={look().filled}>
            {t(`health.verdict.${props.latest.verdict}`)}
          </Sign>
        </span>
        <span>{reading() ?? format(props.latest.difference)}</span>
      </figcaption>
      <Chart
        data={toChart(mine(), props.gate.windowMs)}
        label={`${signalInWords(props.latest.signal)}: ${interval()}`}
        format={format}
        onRead={setReading}
      />
      <p class="soft small">{numbers()}</p>
      <p class="soft small">{interval()}</p>
    </figure>
  );
}

/** How devices with the image fare against the control group, signal by signal and window by window. */
export default function Health(props: { deployment: Deployment; gate: Gate }): JSX.Element {
  const load = createLoad(
    () => props.deployment.id,
    async (id, signal) => ({ judgements: await api.listJudgements(id, signal) }),
    'at',
  );
  useLive('deployment', () => props.deployment.id, load.refetch);
  return (
    <section aria-labelledby="health" class="block" data-testid="health">
      <h2 id="health">{t('health.title')}</h2>
      <Loaded load={load}>
        {(data) => (
          <Show when={data().judgements.length > 0} fallback={<p class="prose soft">{t('health.none')}</p>}>
            <p class="prose soft">{t('health.lead')}</p>
            <div class="charts">
              <For each={latestOf(data().judgements)}>
                {(latest) => <Signal latest={latest} all={data().judgements} gate={props.gate} />}
              </For>
            </div>
          </Show>
        )}
      </Loaded>
    </section>
  );
}
