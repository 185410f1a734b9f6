import { A } from '@solidjs/router';
import { type JSX, Show } from 'solid-js';
import type { Overview } from '../../admin-api.ts';
import { formatDuration, formatNumber, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { recoveryRate, successRate } from './rates.ts';

/** A figure leads to the list that it counts, where there is one. */
function Figure(props: {
  name: string;
  note: string;
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
function presenceInWords({ total, sleeping, neverSeen }: Overview['devices']): string {
  const of = t('overview.ofDevices', { n: total });
  return sleeping + neverSeen ? `${of}: ${t('overview.notOnline', { sleeping, never: neverSeen })}` : of;
}

/** The four numbers by which one knows how the fleet is doing, each with what it is made of. */
export function OverviewFigures(props: { overview: Overview }): JSX.Element {
  const updates = () => props.overview.updates;
  return (
    <dl class="figures noted" aria-label={t('overview.figures')}>
      <Figure
        name={t('overview.online')}
        note={presenceInWords(props.overview.devices)}
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
