import { type JSX, Show } from 'solid-js';
import type { Deployment } from '../../api.ts';
import { formatDuration, formatNumber, formatShare } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';

/** The figures of a deployment; a dash where there is nothing to measure yet. */
export function Figures(props: { deployment: Deployment }): JSX.Element {
  const figures = () => props.deployment.figures;
  return (
    <dl class="figures" aria-label={t('deployment.figures')}>
      <div data-testid="figure-done">
        <dt>{t('deployment.done')}</dt>
        <dd>
          {formatNumber(language(), props.deployment.counts.succeeded)}
          <small> / {formatNumber(language(), props.deployment.total)}</small>
        </dd>
      </div>
      <div data-testid="figure-success-rate">
        <dt>{t('deployment.successRate')}</dt>
        <dd>
          <Show when={figures().successRate !== null} fallback="–">
            {formatShare(language(), figures().successRate!)}
          </Show>
        </dd>
      </div>
      <div data-testid="figure-mean-download">
        <dt>{t('deployment.meanDownload')}</dt>
        <dd>
          <Show when={figures().meanDownloadMs !== null} fallback="–">
            {formatDuration(language(), figures().meanDownloadMs!)}
          </Show>
        </dd>
      </div>
      <div data-testid="figure-resumed">
        <dt>{t('deployment.resumed')}</dt>
        <dd>{formatNumber(language(), figures().resumedDownloads)}</dd>
      </div>
    </dl>
  );
}
