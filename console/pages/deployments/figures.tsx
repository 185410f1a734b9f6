import { A } from '@solidjs/router';
import { createEffect, createMemo, createSignal, type JSX, Show } from 'solid-js';
import { api, type Deployment } from '../../api.ts';
import { formatBytes, formatDuration, formatNumber, formatRate, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { useLive } from '../../live.ts';
import { createLoad } from '../../load.ts';
import { addSample, endedOf, paceOf, type Sample } from './pace.ts';

/** So many of those that are downloading are asked how fast they are; the others count like their mean. */
const asked = 100;
const lately = 3_600_000;

/** One that began lately had none ended then: its pace is known at once. */
function beginningOf({ startAt, createdAt, finishedAt }: Deployment): Sample[] {
  const atMs = Date.parse(startAt ?? createdAt);
  const ageMs = Date.now() - atMs;
  return !finishedAt && ageMs > 0 && ageMs < lately ? [{ atMs, ended: 0 }] : [];
}

function createPace(deployment: () => Deployment) {
  const [samples, setSamples] = createSignal<Sample[]>(beginningOf(deployment()));
  createEffect(() => {
    const ended = endedOf(deployment().counts);
    setSamples((before) => addSample(before, { atMs: Date.now(), ended }));
  });
  return createMemo(() => paceOf(deployment(), samples()));
}

/** Bytes a second of all downloads under way; null when there are none. */
function createThroughput(deployment: () => Deployment) {
  const load = createLoad(
    () => (deployment().counts.downloading > 0 ? deployment().id : null),
    (id, signal) => api.listTargets(id, { state: 'downloading', limit: asked }, signal),
    'device',
  );
  useLive('deployment', () => deployment().id, load.refetch);
  return () => {
    const known = load.data?.items.flatMap((target) => target.bytesPerSecond ?? []) ?? [];
    if (deployment().counts.downloading === 0 || known.length === 0) return null;
    const sum = known.reduce((a, b) => a + b, 0);
    return sum * Math.max(1, load.data!.total / load.data!.items.length);
  };
}

function Figure(props: { name: string; testId: string; children: JSX.Element; note?: JSX.Element }) {
  return (
    <div data-testid={props.testId}>
      <dt>{props.name}</dt>
      <dd>
        {props.children}
        <Show when={props.note}>
          <small> {props.note}</small>
        </Show>
      </dd>
    </div>
  );
}

/** What patches have saved; nothing where no device was offered one. */
function PatchFigures(props: { deployment: Deployment }): JSX.Element {
  const load = createLoad(() => props.deployment.id, api.getPatchFigures, 'deployment');
  useLive('deployment', () => props.deployment.id, load.refetch);
  return (
    <Show when={load.data}>
      {(data) => (
        <>
          <Show when={data().applied > 0}>
            <Figure
              name={t('deployment.byPatch')}
              testId="figure-by-patch"
              note={t('deployment.patchSaved', { bytes: formatBytes(language(), data().savedBytes) })}
            >
              {formatNumber(language(), data().applied)}
            </Figure>
          </Show>
          <Show when={data().fellBack > 0}>
            <Figure name={t('deployment.patchFellBack')} testId="figure-patch-fell-back">
              {formatNumber(language(), data().fellBack)}
            </Figure>
          </Show>
        </>
      )}
    </Show>
  );
}

/** The figures of a deployment; a dash where there is nothing to measure yet. */
export function Figures(props: { deployment: Deployment }): JSX.Element {
  const figures = () => props.deployment.figures;
  const pace = createPace(() => props.deployment);
  const throughput = createThroughput(() => props.deployment);
  const or = <T,>(value: T | null, show: (value: T) => string) => (value === null ? '–' : show(value));
  return (
    <dl class="figures" aria-label={t('deployment.figures')}>
      <Figure
        name={t('deployment.done')}
        testId="figure-done"
        note={`/ ${formatNumber(language(), props.deployment.total)}`}
      >
        <A href="?state=succeeded">{formatNumber(language(), props.deployment.counts.succeeded)}</A>
      </Figure>
      <Figure name={t('deployment.successRate')} testId="figure-success-rate">
        {or(figures().successRate, (share) => formatShare(language(), share))}
      </Figure>
      <Show when={props.deployment.state === 'running'}>
        <Figure
          name={
            pace().perMinute
              ? t('deployment.pace', { n: Math.round(pace().perMinute! * 10) / 10 })
              : t('deployment.throughput')
          }
          testId="figure-throughput"
        >
          {or(throughput(), (rate) => formatRate(language(), rate))}
        </Figure>
        <Figure name={t('deployment.left')} testId="figure-left">
          {or(pace().leftMs, (ms) =>
            formatDuration(language(), ms < 60_000 ? Math.ceil(ms / 1000) * 1000 : ms),
          )}
        </Figure>
      </Show>
      <Figure name={t('deployment.meanDownload')} testId="figure-mean-download">
        {or(figures().meanDownloadMs, (ms) => formatDuration(language(), ms))}
      </Figure>
      <Figure name={t('deployment.resumed')} testId="figure-resumed">
        {formatNumber(language(), figures().resumedDownloads)}
      </Figure>
      <PatchFigures deployment={props.deployment} />
    </dl>
  );
}
