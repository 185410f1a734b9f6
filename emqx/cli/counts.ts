/** What the broker has counted at each rule and action since its start or the last reset, and what of it is a loss. */
import type { Broker, Live } from './live.ts';

export interface Reading {
  live: Live;
  /** Of all nodes together. */
  counts: Record<string, number>;
  /** Why and how many; empty when nothing was lost. */
  lost: { why: string; count: number }[];
  /** The nodes on which something was lost. */
  lostOn: string[];
  /** The nodes that told their counts; the others are not in the sum. */
  told: string[];
}

const ruleLosses = [
  'failed.exception',
  'actions.failed.out_of_service',
  'actions.failed.unknown',
  'actions.discarded',
];

/** In the order of `live`; connectors count nothing. */
export async function readCounts(broker: Broker, live: Live[]): Promise<Reading[]> {
  return Promise.all(
    live.map(async (one) => {
      const { kind, id } = one;
      if (kind === 'connector') return { live: one, counts: {}, lost: [], lostOn: [], told: [] };
      const { total, nodes } = await broker.metrics(kind, id);
      const losing = nodes.filter(({ counts }) => lossesIn(kind, counts).length > 0);
      return {
        ...{ live: one, counts: total, lost: lossesIn(kind, total) },
        lostOn: losing.map(({ name }) => name),
        told: nodes.map(({ name }) => name),
      };
    }),
  );
}

function lossesIn(kind: 'rule' | 'action', counts: Record<string, number>): Reading['lost'] {
  const drops = Object.keys(counts).filter((name) => name.startsWith('dropped.'));
  const names =
    kind === 'rule' ? ruleLosses : ['failed', ...(drops.length > 0 ? drops : ['dropped']), 'late_reply'];
  return names.flatMap((why) => (counts[why] ? [{ why, count: counts[why] }] : []));
}

export const isEnabled = ({ settings }: Live): boolean => settings.enable !== false;
