import { A } from '@solidjs/router';
import { type JSX, Show } from 'solid-js';
import type { Overview } from '../../admin-api.ts';
import { formatDuration, formatNumber, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { toDevices } from '../../to-devices.ts';
import { recoveryRate, successRate } from './rates.ts';

/** A figure leads to the list that it counts, where there is one. */
function Figure(props: {
  name: string;
  note: JSX.Element;
  testid: string;
  href?: string;
  children: JSX.Element;
}): JSX.Element {
  return (
    <div data-testid={props.testid}>
      <dt>{props.name}</dt>
      <dd>
        <Show when={props.href} fallback={props.children}>
          {(href) => <A href={href()}>{props.children}</A>}
        </Show>
        <span class="hint">{props.note}</span>
      </dd>
    </div>
  );
}

/** What went wrong, and how much of it mended itself; of what never happened it says nothing. */
function mishapsInWords({ interrupted, resumed, rolledBack, lost }: Overview['updates']): string {
  const bad = rolledBack + lost;
  const notes = [
    ...(interrupted ? [t('overview.resumedNote', { resumed, interrupted })] : []),
    ...(bad ? [t('overview.rolledBackNote', { back: rolledBack, bad })] : []),
  ];
  return notes.join(', ') || t('overview.noMishaps');
}

/** Who is not online, and why that need not be a fault. */
function Presence(props: { devices: Overview['devices'] }): JSX.Element {
  return (
    <>
      {t('overview.ofDevices', { n: props.devices.total })}
      <Show when={props.devices.sleeping + props.devices.neverSeen}>
        {': '}
        <A href={toDevices('online = no and last_seen > 0s')}>
          {t('overview.sleeping', { n: props.devices.sleeping })}
        </A>
        {', '}
        <A href={toDevices('not last_seen > 0s')}>
          {t('overview.neverSeen', { n: props.devices.neverSeen })}
        </A>
      </Show>
    </>
  );
}

/** The four numbers by which one knows how the fleet is doing, each with what it is made of. */
export function OverviewFigures(props: { overview: Overview }): JSX.Element {
  const updates = () => props.overview.updates;
  return (
    <dl class="figures noted" aria-label={t('overview.figures')}>
      <Figure
        name={t('overview.online')}
        note={<Presence devices={props.overview.devices} />}
        testid="figure-online"
        href="/devices?online=true"
      >
        {formatNumber(language(), props.overview.devices.online)}
      </Figure>
      <Figure
        name={t('overview.successRate')}
        note={
          updates().ended
            ? t('overview.ofUpdates', {
                done: updates().succeeded,
                n: updates().ended,
                days: props.overview.days.figures,
              })
            : t('overview.noUpdates')
        }
        testid="figure-success"
        href="/deployments"
      >
        <Show when={successRate(updates()) !== null} fallback="–">
          {formatShare(language(), successRate(updates())!)}
        </Show>
      </Figure>
      <Figure
        name={t('overview.meanDownload')}
        note={t('overview.meanDownloadNote')}
        testid="figure-download"
      >
        <Show when={updates().meanDownloadMs !== null} fallback="–">
          {formatDuration(language(), updates().meanDownloadMs!)}
        </Show>
      </Figure>
      <Figure name={t('overview.recoveryRate')} note={mishapsInWords(updates())} testid="figure-recovery">
        <Show when={recoveryRate(updates()) !== null} fallback="–">
          {formatShare(language(), recoveryRate(updates())!)}
        </Show>
      </Figure>
    </dl>
  );
}
