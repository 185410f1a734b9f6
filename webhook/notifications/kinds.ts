/** What can be told, how grave it is, and what each kind says: a closed set, which rules, messages and the console go by. */
import type { HaltFigures, HaltReason } from '../deployments/rollout.ts';

export const kinds = [
  'deployment_waiting',
  'deployment_halted',
  'deployment_completed',
  'certificate_expiring',
  'device_silent',
  'crash_group_new',
  'group_matches',
  'broker_losing_rows',
  'dead_letters',
] as const;
export type Kind = (typeof kinds)[number];

/** Each is graver than the ones before it. */
export const severities = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof severities)[number];

interface Deployment {
  deployment: string;
  firmware: string;
  version: string;
}
/** `devices` of one place; the first of them by name. */
interface Devices {
  devices: number;
  first: string[];
}

export interface Facts {
  deployment_waiting: Deployment & { by: string; devices: number };
  deployment_halted: Deployment & {
    reason: HaltReason;
    detail: string;
    wave: number;
    figures?: HaltFigures | undefined;
  };
  deployment_completed: Deployment & { succeeded: number; failed: number; others: number };
  /** `withinDays` 0: it has ended. */
  certificate_expiring: Devices & { withinDays: 14 | 3 | 0 };
  device_silent: Devices & { hours: number };
  /** Devices crash where none has before: the first of them. `version`: what it runs. */
  crash_group_new: { group: string; reason: string; pc: string; device: string; version: string };
  /** More devices than the rule allows match its saved query; told to that rule alone. */
  group_matches: { rule: string; group: string; query: string; devices: number; above: number };
  /** Rows lost since the last time that this was told. */
  broker_losing_rows: { losses: { kind: string; id: string; why: string; count: number }[] };
  /** The first of its hour. */
  dead_letters: { code: string; device: string | null };
  /** Of the button. */
  test: Record<never, never>;
}

export type Fact = {
  [K in keyof Facts]: {
    kind: K;
    severity: Severity;
    /** The fact's own name: the same one again is told no second time. */
    key: string;
    /** Whom it concerns; empty: no region's devices. */
    regionIds: string[];
    data: Facts[K];
  };
}[keyof Facts];

/** How many devices a message names. */
const named = 20;

/** One fact for each region: devices that went the same way at the same time are told together. */
export function byRegion(
  devices: { id: string; regionId: string | null }[],
): { regionIds: string[]; data: Devices }[] {
  const ids = new Map<string | null, string[]>();
  for (const { id, regionId } of devices) {
    const others = ids.get(regionId);
    if (others) others.push(id);
    else ids.set(regionId, [id]);
  }
  return [...ids].map(([regionId, all]) => ({
    regionIds: regionId === null ? [] : [regionId],
    data: { devices: all.length, first: all.sort().slice(0, named) },
  }));
}
