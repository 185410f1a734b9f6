import type { Policy } from '../../api.ts';

type HealthPolicy = NonNullable<Policy['health']>;
export const comparable = ['restarts', 'crashes', 'disconnects', 'offline', 'heap', 'rssi'] as const;
export type Comparable = (typeof comparable)[number];

/** A health gate as it is typed. */
export type HealthDraft = {
  on: boolean;
  controlPercent: string;
  minDevices: string;
  minHours: string;
  marginPercent: string;
  afterwards: NonNullable<HealthPolicy['afterwards']>;
  signals: Comparable[];
  /** Empty: none. */
  metric: string;
  better: 'high' | 'low';
  /** So that the control group of the forecast is the one that there will be. */
  seed: string;
};

export const defaultHealth = (): HealthDraft => ({
  ...{ on: false, controlPercent: '5', minDevices: '30', minHours: '24', marginPercent: '10' },
  ...{ afterwards: 'release', signals: ['restarts', 'disconnects', 'offline'], metric: '', better: 'high' },
  seed: String(Math.random()),
});

const isWithin = (text: string, from: number, to: number) =>
  text.trim() !== '' && Number(text) >= from && Number(text) <= to;

/** What keeps it from being asked for, by field. */
export function checkHealth(draft: HealthDraft): Partial<Record<string, 'number' | 'signals'>> {
  if (!draft.on) return {};
  return {
    ...(!isWithin(draft.controlPercent, 0.001, 50) && { controlPercent: 'number' as const }),
    ...((!isWithin(draft.minDevices, 5, 1_000) || !/^\d+$/.test(draft.minDevices)) && {
      minDevices: 'number' as const,
    }),
    ...(!isWithin(draft.minHours, 0, 720) && { minHours: 'number' as const }),
    ...(!isWithin(draft.marginPercent, 0, 1_000) && { marginPercent: 'number' as const }),
    ...(draft.signals.length === 0 && draft.metric === '' && { signals: 'signals' as const }),
  };
}

export function toHealth(draft: HealthDraft): HealthPolicy | null {
  if (!draft.on) return null;
  const marginPercent = Number(draft.marginPercent);
  return {
    control: { percent: Number(draft.controlPercent) },
    afterwards: draft.afterwards,
    seed: draft.seed,
    minDevices: Number(draft.minDevices),
    minObservedMs: Math.round(Number(draft.minHours) * 3_600_000),
    signals: [
      ...draft.signals.map((kind) => ({ kind, marginPercent })),
      ...(draft.metric
        ? [{ kind: 'metric' as const, name: draft.metric, better: draft.better, marginPercent }]
        : []),
    ],
  };
}
