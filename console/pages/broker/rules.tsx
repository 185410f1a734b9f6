import { createMemo, type JSX, Show } from 'solid-js';
import type { BrokerHere } from '../../admin-api.ts';
import { t } from '../../i18n/i18n.ts';
import { type Column, DataTable } from '../../parts/data-table.tsx';
import { Chevron } from '../../parts/state.tsx';
import { Alarm, Count, describeTuning } from './count.tsx';
import { countOf, lossesInWords, lostBy, type Rule } from './readings.ts';

const describe = (dashboard: string | null): Column<Rule>[] => [
  {
    head: t('broker.rule'),
    cell: (rule) => (
      <details class="sql">
        <summary>
          <Chevron />
          <strong>{rule.id}</strong>
          <Show when={!rule.enabled}>
            <span class="soft small">{t('broker.status.disabled')}</span>
          </Show>
          <span class="soft wide">{rule.description}</span>
        </summary>
        <pre>
          <code>{rule.sql}</code>
        </pre>
      </details>
    ),
  },
  {
    head: t('broker.goesTo'),
    class: 'mid soft',
    cell: (rule) => rule.actions.map((name) => name.replace(/^http:/, '')).join(', ') || '–',
  },
  { head: t('broker.matched'), class: 'num', cell: (rule) => <Count n={countOf(rule, 'matched')} /> },
  { head: t('broker.passed'), class: 'num', cell: (rule) => <Count n={countOf(rule, 'passed')} /> },
  {
    head: t('broker.noRow'),
    class: 'num wide',
    cell: (rule) => <Count n={countOf(rule, 'failed.no_result')} />,
  },
  {
    head: t('broker.failed'),
    class: 'num',
    cell: (rule) => <Alarm tone="bad" n={lostBy(rule)} why={lossesInWords(rule)} />,
  },
  ...describeTuning<Rule>(dashboard, 'rules'),
];

/** What the broker picks out of what devices say. */
export function RuleTable(props: { broker: BrokerHere; dashboard: string | null }): JSX.Element {
  const columns = createMemo(() => describe(props.dashboard));
  return (
    <section aria-labelledby="rules">
      <h2 id="rules">{t('broker.rules')}</h2>
      <DataTable caption={t('broker.rules')} columns={columns()} rows={props.broker.rules} />
    </section>
  );
}
