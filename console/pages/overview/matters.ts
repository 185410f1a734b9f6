import type { Broker, Overview } from '../../admin-api.ts';
import { t, tMaybe } from '../../i18n/i18n.ts';
import { toDevices } from '../../to-devices.ts';

/** `bad` is wrong now; `soon` will be, or wants a look. */
export type Matter = { key: string; tone: 'bad' | 'soon'; text: string; why?: string; href: string };

const lossesOf = (broker: Broker): number =>
  broker.state === 'away'
    ? 0
    : [...broker.rules, ...broker.actions].reduce(
        (sum, one) => sum + one.lost.reduce((n, loss) => n + loss.count, 0),
        0,
      );

function deploymentMatters({ halted, failing, waiting, deployments }: Overview): Matter[] {
  return [
    ...halted.map((one) => ({
      key: `halted ${one.id}`,
      tone: 'bad' as const,
      text: t('matter.halted', { name: `${one.firmware} ${one.version}` }),
      why: [tMaybe(`matter.halt.${one.reason}`), one.waiting ? t('matter.waiting', { n: one.waiting }) : null]
        .filter(Boolean)
        .join(' · '),
      href: `/deployments/${one.id}`,
    })),
    ...failing.map((one) => ({
      key: `failing ${one.id}`,
      tone: 'bad' as const,
      text: t('matter.failed', { n: one.devices, name: `${one.firmware} ${one.version}` }),
      href: `/deployments/${one.id}`,
    })),
    ...waiting.map((one) => ({
      key: `waiting ${one.id}`,
      tone: 'soon' as const,
      text: t('matter.approval', { name: `${one.firmware} ${one.version}` }),
      why: t('approval.by', { who: one.author }),
      href: `/deployments/${one.id}`,
    })),
    ...(deployments.waiting > waiting.length
      ? [
          {
            key: 'waiting',
            tone: 'soon' as const,
            text: t('matter.approvals', { n: deployments.waiting - waiting.length }),
            href: '/deployments',
          },
        ]
      : []),
  ];
}

function brokerMatters(broker: Broker | undefined): Matter[] {
  if (!broker) return [];
  const href = '/system/broker';
  if (broker.state === 'away') {
    return [{ key: 'away', tone: 'bad', text: t('matter.away'), why: t('matter.awayWhy'), href }];
  }
  const lost = lossesOf(broker);
  const drift = broker.drift?.length ?? 0;
  return [
    ...(lost ? [{ key: 'lost', tone: 'bad' as const, text: t('matter.losing', { n: lost }), href }] : []),
    ...(drift
      ? [{ key: 'drift', tone: 'soon' as const, text: t('matter.brokerDrift', { n: drift }), href }]
      : []),
  ];
}

function deviceMatters({ devices, certificates, deadLetters }: Overview): Matter[] {
  const soon = certificates.within14Days - certificates.within3Days;
  const matters: (Matter | false)[] = [
    devices.failing > 0 && {
      key: 'unwell',
      tone: 'bad',
      text: t('matter.unwell', { n: devices.failing }),
      href: toDevices('health = failing'),
    },
    certificates.expired > 0 && {
      key: 'expired',
      tone: 'bad',
      text: t('matter.expired', { n: certificates.expired }),
      why: t('matter.expiredWhy'),
      href: '/certificates?status=expired',
    },
    certificates.within3Days > 0 && {
      key: 'urgent',
      tone: 'bad',
      text: t('matter.expiring', { n: certificates.within3Days, days: 3 }),
      why: t('matter.expiringWhy'),
      href: '/certificates?expiresWithinDays=3',
    },
    soon > 0 && {
      key: 'expiring',
      tone: 'soon',
      text: t('matter.expiring', { n: soon, days: 14 }),
      href: '/certificates?expiresWithinDays=14',
    },
    devices.drifted > 0 && {
      key: 'drifted',
      tone: 'soon',
      text: t('matter.drifted', { n: devices.drifted }),
      why: t('matter.driftedWhy'),
      href: toDevices('drifted = yes'),
    },
    deadLetters.total > 0 && {
      key: 'letters',
      tone: 'soon',
      text: t('matter.letters', { n: deadLetters.total }),
      href: '/system/dead-letters',
    },
  ];
  return matters.filter((one) => one !== false);
}

/** What needs somebody's attention, what is wrong now first. */
export function mattersOf(overview: Overview, broker: Broker | undefined): Matter[] {
  const all = [...deploymentMatters(overview), ...brokerMatters(broker), ...deviceMatters(overview)];
  return [...all.filter((one) => one.tone === 'bad'), ...all.filter((one) => one.tone === 'soon')];
}
