import { A } from '@solidjs/router';
import { createMemo, type JSX } from 'solid-js';
import type { Deployment } from '../api.ts';
import { formatNumber } from '../format.ts';
import { language, t } from '../i18n/i18n.ts';
import { type Column, DataTable } from './data-table.tsx';
import { countsInWords, StateBar, StateMark } from './state.tsx';
import { Ago } from './time.tsx';

export const describeDeployments = (): Column<Deployment>[] => [
  {
    head: t('deployments.firmware'),
    cell: (deployment) => (
      <A class="row-link" href={`/deployments/${deployment.id}`}>
        {deployment.firmware.name} {deployment.firmware.version}
      </A>
    ),
  },
  { head: t('deployments.state'), cell: (deployment) => <StateMark state={deployment.state} /> },
  {
    head: t('deployments.progress'),
    width: '32%',
    class: 'bar-cell',
    cell: (deployment) => (
      <StateBar
        thin
        counts={deployment.counts}
        label={t('deployment.barLabel', { states: countsInWords(deployment.counts) })}
      />
    ),
  },
  {
    head: t('deployments.targets'),
    class: 'num mid',
    // Before its start nobody has been chosen yet.
    cell: ({ state, total }) =>
      (state === 'scheduled' || state === 'waiting_for_approval') && !total
        ? '–'
        : formatNumber(language(), total),
  },
  { head: t('deployments.by'), class: 'wide soft', cell: (deployment) => deployment.createdBy },
  {
    head: t('deployments.requested'),
    class: 'tight soft mid',
    cell: (deployment) => <Ago at={deployment.createdAt} />,
  },
];

export function DeploymentTable(props: { deployments: Deployment[] }): JSX.Element {
  const columns = createMemo(describeDeployments);
  return <DataTable linked caption={t('deployments.title')} columns={columns()} rows={props.deployments} />;
}
