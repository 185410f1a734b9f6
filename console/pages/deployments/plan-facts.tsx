import { type JSX, Show } from 'solid-js';
import type { Deployment } from '../../api.ts';
import { formatDateTime, formatDuration, formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { everyInWords } from '../../parts/hardware-words.ts';
import { Fact, Facts } from '../../parts/page.tsx';
import {
  deferralInWords,
  gateTimeoutInWords,
  joinersInWords,
  windowInWords,
} from '../../parts/window-words.ts';
import { controlInWords } from './health-words.ts';

/** What it was asked to keep to, kept as it was when it was made. */
export function PlanFacts(props: { deployment: Deployment }): JSX.Element {
  const policy = () => props.deployment.policy as Record<string, unknown> & Deployment['policy'];
  const duration = (name: string) => {
    const ms = policy()[name];
    return typeof ms === 'number' ? formatDuration(language(), ms) : '–';
  };
  return (
    <section aria-labelledby="plan" class="block">
      <h2 id="plan">{t('plan.title')}</h2>
      <Facts>
        <Show when={props.deployment.selection.all}>
          <Fact name={t('plan.chosen')}>{everyInWords(props.deployment.firmware)}</Fact>
        </Show>
        <Show when={props.deployment.selection.query}>
          {(query) => (
            <Fact name={t('deploy.query')}>
              {props.deployment.selection.group} <code>{query()}</code>
            </Fact>
          )}
        </Show>
        <Show when={props.deployment.startAt}>
          {(at) => <Fact name={t('plan.startAt')}>{formatDateTime(language(), at())}</Fact>}
        </Show>
        <Fact name={t('plan.window')}>
          {windowInWords(policy().window)}
          <Show when={props.deployment.windowOpensAt}>
            {(at) => <> · {t('plan.windowOpens', { at: formatDateTime(language(), at()) })}</>}
          </Show>
        </Fact>
        <Fact name={t('plan.lateJoinersDays')}>
          {joinersInWords(policy().lateJoinersMs)}
          <Show when={props.deployment.joinersUntil}>
            {(at) => <> · {t('plan.joinUntil', { at: formatDateTime(language(), at()) })}</>}
          </Show>
        </Fact>
        <Show when={policy().health}>
          {(gate) => <Fact name={t('plan.health')}>{controlInWords(gate())}</Fact>}
        </Show>
        <Fact name={t('plan.gateTimeoutHours')}>{gateTimeoutInWords(policy().gateTimeoutMs)}</Fact>
        <Fact name={t('plan.deferralHours')}>{deferralInWords(policy())}</Fact>
        <Fact name={t('plan.ratePerMinute')}>
          {policy().ratePerMinute === null
            ? t('plan.unlimited')
            : t('plan.perMinute', { n: policy().ratePerMinute! })}
        </Fact>
        <Fact name={t('plan.maxAttempts')}>{formatNumber(language(), policy().maxAttempts)}</Fact>
        <Fact name={t('plan.retryDelaySeconds')}>{duration('retryDelayMs')}</Fact>
        <Fact name={t('plan.downloadTimeoutMinutes')}>{duration('downloadTimeoutMs')}</Fact>
      </Facts>
    </section>
  );
}
