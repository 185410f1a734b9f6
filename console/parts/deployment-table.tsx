import { A } from '@solidjs/router';
import { For, type JSX } from 'solid-js';
import type { Deployment } from '../api.ts';
import { formatNumber } from '../format.ts';
import { language, t } from '../i18n/i18n.ts';
import { countsInWords, StateBar, StateMark } from './state.tsx';
import { Ago } from './time.tsx';

export function DeploymentTable(props: { deployments: Deployment[]; stale?: boolean }): JSX.Element {
  return (
    <div class="table-wrap">
      <table classList={{ stale: props.stale }}>
        <caption class="unseen">{t('deployments.title')}</caption>
        <thead>
          <tr>
            <th scope="col">{t('deployments.firmware')}</th>
            <th scope="col">{t('deployments.state')}</th>
            <th scope="col" style={{ width: '32%' }}>
              {t('deployments.progress')}
            </th>
            <th scope="col" class="num mid">
              {t('deployments.targets')}
            </th>
            <th scope="col" class="wide">
              {t('deployments.by')}
            </th>
            <th scope="col" class="mid">
              {t('deployments.requested')}
            </th>
          </tr>
        </thead>
        <tbody>
          <For each={props.deployments}>
            {(deployment) => (
              <tr class="row">
                <td>
                  <A class="row-link" href={`/deployments/${deployment.id}`}>
                    {deployment.firmware.name} {deployment.firmware.version}
                  </A>
                </td>
                <td>
                  <StateMark state={deployment.state} />
                </td>
                <td style={{ 'padding-top': '15px' }}>
                  <StateBar
                    thin
                    counts={deployment.counts}
                    label={t('deployment.barLabel', { states: countsInWords(deployment.counts) })}
                  />
                </td>
                <td class="num mid">{formatNumber(language(), deployment.total)}</td>
                <td class="wide soft">{deployment.createdBy}</td>
                <td class="tight soft mid">
                  <Ago at={deployment.createdAt} />
                </td>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}
