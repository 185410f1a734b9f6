import type { Broker, BrokerHere } from '../../admin-api.ts';
import { formatNumber } from '../../format.ts';
import { language, t, tMaybe } from '../../i18n/i18n.ts';

export type Rule = BrokerHere['rules'][number];
export type Action = BrokerHere['actions'][number];
type Counted = Rule | Action;

export const countOf = (one: Counted, name: string): number => one.counts[name] ?? 0;

export const lostBy = (one: Counted): number => one.lost.reduce((sum, loss) => sum + loss.count, 0);

export const totalOf = (broker: Broker, _: 'lost'): number =>
  broker.state === 'away'
    ? 0
    : [...broker.rules, ...broker.actions].reduce((sum, one) => sum + lostBy(one), 0);

/** "14 dropped: the queue was full, 2 failed" */
export const lossesInWords = (one: Counted): string =>
  one.lost
    .map(({ why, count }) =>
      t('broker.loss', {
        n: formatNumber(language(), count),
        why: tMaybe(`broker.lost.${why.replaceAll('.', '_')}`) ?? why,
      }),
    )
    .join(', ');

/** The dashboard's pages of 5.8; there one searches by the id. */
export const dashboardPage = (dashboard: string, kind: 'rules' | 'actions'): string =>
  `${dashboard}/#/rule/${kind}`;
