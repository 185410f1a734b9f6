import { type JSX, Show } from 'solid-js';
import type { Overview } from '../../admin-api.ts';
import { formatDuration, formatNumber, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { recoveryRate, successRate } from './rates.ts';

function Figure(props: { name: string; note: string; testid: string; children: JSX.Element }): JSX.Element {
  return (
    <div data-testid={props.testid}>
      <dt>{props.name}</dt>
      <dd>
        {props.children}
        <span class="hint">{props.note}</span>
      </dd>
    </div>
  );
}

/** The four numbers by which one knows how the fleet is doing, each with what it is made of. */
export function OverviewFigures(props: { overview: Overview }): JSX.Element {
  const updates = () => props.overview.updates;
  const mishaps = () => updates().interrupted + updates().rolledBack + updates().lost;
  return (
    <dl class="figures noted" aria-label={t('overview.figures')}>
      <Figure
        name={t('overview.online')}
        note={t('overview.ofDevices', { n: props.overview.devices.total })}
        testid="figure-online"
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
      <Figure
        name={t('overview.recoveryRate')}
        note={
          mishaps()
            ? t('overview.recoveryNote', {
                resumed: updates().resumed,
                interrupted: updates().interrupted,
                back: updates().rolledBack,
                bad: updates().rolledBack + updates().lost,
              })
            : t('overview.noMishaps')
        }
        testid="figure-recovery"
      >
        <Show when={recoveryRate(updates()) !== null} fallback="–">
          {formatShare(language(), recoveryRate(updates())!)}
        </Show>
      </Figure>
    </dl>
  );
}
