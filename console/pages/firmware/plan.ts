import type { MaintenanceWindow, Policy, Weekday } from '../../api.ts';
import { weekdays } from '../../format.ts';
import { wallTimeMs } from '../../wall-time.ts';
import { checkHealth, defaultHealth, type HealthDraft, toHealth } from './health-draft.ts';

/** A wave as it is typed: up to so many devices, or so many percent, of all. */
export type WaveDraft = { size: string; unit: 'count' | 'percent'; soakMinutes: string };

type DeadlineAction = NonNullable<Policy['atDeadline']>;
export const deadlineActions: DeadlineAction[] = ['give_up', 'proceed'];

/** How and when a deployment goes out, as it is typed. */
export type Plan = {
  /** A policy that is kept under a name holds instead of what is typed here; channels, start and freezes are none of its matters. */
  named: { name: string; policy: Policy } | null;
  waves: WaveDraft[];
  successPercent: string;
  failurePercent: string;
  silencePercent: string;
  maxAttempts: string;
  retryDelaySeconds: string;
  downloadTimeoutMinutes: string;
  ratePerMinute: string;
  startAt: string;
  /** With blanks between them. */
  channels: string;
  overrideFreeze: string;
  windowFrom: string;
  windowTo: string;
  windowDays: Weekday[];
  lateJoinersDays: string;
  gateTimeoutHours: string;
  deferralHours: string;
  atDeadline: DeadlineAction;
  health: HealthDraft;
};

export const presets = ['careful', 'canary', 'all'] as const;
export type Preset = (typeof presets)[number];

const wave = (size: number, unit: WaveDraft['unit'], soakMinutes: number): WaveDraft => ({
  size: String(size),
  unit,
  soakMinutes: String(soakMinutes),
});

export const wavesOf = (preset: Preset): WaveDraft[] =>
  ({
    careful: [wave(1, 'count', 10), wave(5, 'percent', 30), wave(25, 'percent', 30), wave(100, 'percent', 0)],
    canary: [wave(1, 'count', 10), wave(100, 'percent', 0)],
    all: [wave(100, 'percent', 0)],
  })[preset];

/** Which preset these waves are; null when they are somebody's own. */
export const presetOf = (waves: WaveDraft[]): Preset | null =>
  presets.find((preset) => JSON.stringify(wavesOf(preset)) === JSON.stringify(waves)) ?? null;

export const defaultPlan = (): Plan => ({
  named: null,
  waves: wavesOf('careful'),
  successPercent: '90',
  failurePercent: '20',
  silencePercent: '20',
  maxAttempts: '3',
  retryDelaySeconds: '10',
  downloadTimeoutMinutes: '10',
  ratePerMinute: '',
  startAt: '',
  channels: 'stable',
  overrideFreeze: '',
  windowFrom: '',
  windowTo: '',
  windowDays: [...weekdays],
  lateJoinersDays: '',
  gateTimeoutHours: '24',
  deferralHours: '24',
  atDeadline: 'give_up',
  health: defaultHealth(),
});

export type PlanProblem =
  | 'whole'
  | 'percent'
  | 'share'
  | 'number'
  | 'minutes'
  | 'grows'
  | 'past'
  | 'both'
  | 'days'
  | 'channels'
  | 'reason';
export type PlanProblems = Partial<Record<string, PlanProblem>>;

const isWhole = (text: string, from: number, to: number) =>
  /^\d+$/.test(text) && Number(text) >= from && Number(text) <= to;
const isNumber = (text: string, from: number, to: number) =>
  text.trim() !== '' && Number(text) >= from && Number(text) <= to;

function checkWaves(waves: WaveDraft[]): PlanProblems {
  const problems: PlanProblems = {};
  waves.forEach(({ size, unit, soakMinutes }, i) => {
    const good = unit === 'count' ? isWhole(size, 1, 1e9) : isNumber(size, 0.001, 100);
    if (!good) problems[`wave${i}`] = unit === 'count' ? 'whole' : 'share';
    if (!isNumber(soakMinutes, 0, 43_200)) problems[`soak${i}`] = 'minutes';
    const before = waves[i - 1];
    if (!problems[`wave${i}`] && before?.unit === unit && Number(size) <= Number(before.size)) {
      problems[`wave${i}`] = 'grows';
    }
  });
  return problems;
}

/** Null while it has not both times: an update may start at any time. */
export const windowOf = ({ windowFrom: from, windowTo: to, windowDays }: Plan): MaintenanceWindow | null =>
  from !== '' && to !== '' ? { from, to, days: [...windowDays] } : null;
const msOf = (text: string, unitMs: number) => (text === '' ? null : Math.round(Number(text) * unitMs));

export const channelsOf = ({ channels }: Pick<Plan, 'channels'>): string[] =>
  channels.split(/[\s,]+/).filter(Boolean);
const isChannel = (name: string) => /^[a-z][a-z0-9-]{0,31}$/.test(name);

/** What keeps a plan from being asked for, by field; waves are `wave0`, `soak0` and so on. */
export function checkPlan(plan: Plan, nowMs: number): PlanProblems {
  const problems: PlanProblems = plan.named ? {} : checkPolicy(plan);
  if (plan.startAt !== '' && !(wallTimeMs(plan.startAt) > nowMs)) problems.startAt = 'past';
  const channels = channelsOf(plan);
  if (channels.length < 1 || channels.length > 20 || !channels.every(isChannel))
    problems.channels = 'channels';
  if (plan.overrideFreeze !== '' && plan.overrideFreeze.trim().length < 3) problems.overrideFreeze = 'reason';
  return problems;
}

function checkPolicy(plan: Plan): PlanProblems {
  const problems = checkWaves(plan.waves);
  for (const name of ['successPercent', 'failurePercent', 'silencePercent'] as const) {
    if (!isNumber(plan[name], 0, 100)) problems[name] = 'percent';
  }
  if (!isWhole(plan.maxAttempts, 1, 20)) problems.maxAttempts = 'number';
  if (!isNumber(plan.retryDelaySeconds, 1, 86_400)) problems.retryDelaySeconds = 'number';
  if (!isNumber(plan.downloadTimeoutMinutes, 1, 1_440)) problems.downloadTimeoutMinutes = 'minutes';
  if (plan.ratePerMinute !== '' && !isWhole(plan.ratePerMinute, 1, 1_000_000))
    problems.ratePerMinute = 'whole';
  if ((plan.windowFrom === '') !== (plan.windowTo === '')) problems.window = 'both';
  if (windowOf(plan) && plan.windowDays.length === 0) problems.windowDays = 'days';
  if (plan.lateJoinersDays !== '' && !isNumber(plan.lateJoinersDays, 0.01, 365))
    problems.lateJoinersDays = 'number';
  if (plan.gateTimeoutHours !== '' && !isNumber(plan.gateTimeoutHours, 0.1, 2_160))
    problems.gateTimeoutHours = 'number';
  if (!isNumber(plan.deferralHours, 0, 720)) problems.deferralHours = 'number';
  if (Object.keys(checkHealth(plan.health)).length > 0) problems.health = 'number';
  return problems;
}

/** A plan without problems as the API takes it. The last wave is always all. */
export function toPolicy(plan: Plan): {
  policy: Policy;
  channels: string[];
  startAt?: string;
  overrideFreeze?: string;
} {
  // A local time without a zone: the server gets the moment.
  return {
    policy: plan.named ? asKept(plan.named.policy, plan.health.seed) : typedPolicy(plan),
    channels: channelsOf(plan),
    ...(plan.startAt && { startAt: new Date(wallTimeMs(plan.startAt)).toISOString() }),
    ...(plan.overrideFreeze && { overrideFreeze: plan.overrideFreeze.trim() }),
  };
}

/** As it is kept; a control group that is drawn anew each time gets the seed of this form, so that the forecast is of the one to come. */
const asKept = (policy: Policy, seed: string): Policy =>
  policy.health ? { ...policy, health: { seed, ...policy.health } } : { ...policy };

function typedPolicy(plan: Plan): Policy {
  return {
    waves: plan.waves.map(({ size, unit, soakMinutes }) => ({
      ...(unit === 'count' ? { count: Number(size) } : { percent: Number(size) }),
      soakMs: Math.round(Number(soakMinutes) * 60_000),
    })),
    successPercent: Number(plan.successPercent),
    failurePercent: Number(plan.failurePercent),
    silencePercent: Number(plan.silencePercent),
    maxAttempts: Number(plan.maxAttempts),
    retryDelayMs: Math.round(Number(plan.retryDelaySeconds) * 1000),
    downloadTimeoutMs: Math.round(Number(plan.downloadTimeoutMinutes) * 60_000),
    ratePerMinute: plan.ratePerMinute === '' ? null : Number(plan.ratePerMinute),
    window: windowOf(plan),
    lateJoinersMs: msOf(plan.lateJoinersDays, 86_400_000),
    gateTimeoutMs: msOf(plan.gateTimeoutHours, 3_600_000),
    deferralMs: Math.round(Number(plan.deferralHours) * 3_600_000),
    atDeadline: plan.atDeadline,
    health: toHealth(plan.health),
  };
}
