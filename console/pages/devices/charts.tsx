import { createSignal, For, type JSX, Show } from 'solid-js';
import { api, type Chart as ChartData } from '../../api.ts';
import { language, t } from '../../i18n/i18n.ts';
import { createLoad, usePoll } from '../../load.ts';
import { Loaded } from '../../parts/loaded.tsx';
import { Chart } from './chart.tsx';
import { formatMeasured, nameOfValue, type Series, seriesOf } from './series.ts';

const hourMs = 3_600_000;
const ranges = { quarter: hourMs / 4, hour: hourMs, day: 24 * hourMs, week: 7 * 24 * hourMs } as const;
type Range = keyof typeof ranges;
const pollMs = 10_000;

function SeriesChart(props: { device: string; series: Series; range: Range }): JSX.Element {
  const [reading, setReading] = createSignal<string | null>(null);
  const load = createLoad<{ id: string; topic: string; value: string; range: Range }, ChartData>(
    () => ({
      id: props.device,
      topic: props.series.topic,
      value: props.series.value,
      range: props.range,
    }),
    ({ id, range, ...query }, signal) => {
      const nowMs = Date.now();
      const [from, to] = [nowMs - ranges[range], nowMs].map((ms) => new Date(ms).toISOString());
      return api.getChart(id, { ...query, from: from!, to: to! }, signal);
    },
    'at',
  );
  usePoll(pollMs, load.refetch);
  const format = (value: number) => formatMeasured(language(), props.series.value, value);
  const label = () => {
    const points = load.data?.points ?? [];
    const least = Math.min(...points.map((point) => point.min));
    const most = Math.max(...points.map((point) => point.max));
    return t('charts.label', {
      name: nameOfValue(props.series.value),
      latest: format(props.series.latest),
      least: points.length ? format(least) : '–',
      most: points.length ? format(most) : '–',
    });
  };
  return (
    <figure class="chart" data-testid="chart" aria-busy={load.loading}>
      <figcaption>
        <span class="soft">
          {nameOfValue(props.series.value)} <span class="small">{props.series.topic}</span>
        </span>
        <span>{reading() ?? format(props.series.latest)}</span>
      </figcaption>
      <Loaded load={load}>
        {(data) => <Chart data={data()} label={label()} format={format} onRead={setReading} />}
      </Loaded>
    </figure>
  );
}

/** Small charts, one for each number that the device reports. */
export default function Charts(props: { device: string }): JSX.Element {
  const [range, setRange] = createSignal<Range>('hour');
  const load = createLoad(
    () => props.device,
    async (id, signal) => ({
      series: seriesOf(await api.getDeviceStatus(id, signal)).map((one) => ({
        ...one,
        key: `${one.topic} ${one.value}`,
      })),
    }),
    'key',
  );
  usePoll(pollMs, load.refetch);
  return (
    <Loaded load={load}>
      {(data) => (
        <Show when={data().series.length > 0} fallback={<p class="prose soft">{t('charts.none')}</p>}>
          <fieldset class="segments" aria-label={t('charts.range')}>
            <For each={Object.keys(ranges) as Range[]}>
              {(one) => (
                <button type="button" aria-pressed={range() === one} onClick={() => setRange(one)}>
                  {t(`charts.${one}`)}
                </button>
              )}
            </For>
          </fieldset>
          <div class="charts">
            <For each={data().series}>
              {(series) => <SeriesChart device={props.device} series={series} range={range()} />}
            </For>
          </div>
        </Show>
      )}
    </Loaded>
  );
}
