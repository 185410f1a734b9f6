import { byAttention as attention, failedStates, workingStates } from '#webhook/deployments/states.ts';
import type { DeploymentState, TargetState } from '../api.ts';
import { glyphs } from './glyphs.ts';

export type Tone = 'waiting' | 'moving' | 'good' | 'stopped' | 'bad' | 'quiet';
type Look = { tone: Tone; tint: string; glyph: string; filled?: boolean };

const ring = 'M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9';

/** Shapes on a 12 by 12 grid, no two alike, so that no state is told by its colour alone. */
const looks: Record<TargetState | DeploymentState, Look> = {
  pending: { tone: 'waiting', tint: '--s-waiting', glyph: ring },
  sent: { tone: 'waiting', tint: '--s-sent', glyph: 'M1.5 6H10M7 3l3 3-3 3' },
  accepted: { tone: 'moving', tint: '--s-accepted', glyph: `${ring}M4 6h4M6 4v4` },
  downloading: { tone: 'moving', tint: '--s-downloading', glyph: 'M6 1.5v6M3 5l3 3 3-3M2 10.5h8' },
  installing: { tone: 'moving', tint: '--s-installing', glyph: 'M2 2h8v8H2zM4.5 4.5h3v3h-3z' },
  succeeded: { tone: 'good', tint: '--s-succeeded', glyph: glyphs.check },
  failed: { tone: 'bad', tint: '--s-failed', glyph: glyphs.cross },
  rolled_back: { tone: 'bad', tint: '--s-failed', glyph: 'M4.5 1.5 2 4l2.5 2.5M2 4h5a3 3 0 0 1 0 6H4' },
  timed_out: { tone: 'bad', tint: '--s-failed', glyph: `${ring}M6 3.5V6l2 1.5` },
  cancelling: { tone: 'stopped', tint: '--s-stopped', glyph: 'M2 4h8M2 8h5' },
  cancelled: { tone: 'stopped', tint: '--s-stopped', glyph: `${ring}M3.8 6h4.4` },
  skipped: { tone: 'stopped', tint: '--s-stopped', glyph: 'M2 2.5 5.5 6 2 9.5M6.5 2.5 10 6 6.5 9.5' },
  running: { tone: 'moving', tint: '--s-downloading', glyph: 'M3 1.5v9L10.5 6z', filled: true },
  waiting_for_approval: {
    tone: 'waiting',
    tint: '--s-waiting',
    glyph: 'M6 1.5a2 2 0 1 0 0 4a2 2 0 1 0 0-4M2 10.5c0-2.5 1.5-3.5 4-3.5s4 1 4 3.5z',
  },
  scheduled: { tone: 'waiting', tint: '--s-waiting', glyph: 'M2 3h8v7.5H2zM2 5.5h8M4.2 1.5v2M7.8 1.5v2' },
  paused: { tone: 'stopped', tint: '--s-stopped', glyph: 'M4 2v8M8 2v8' },
  halted: { tone: 'bad', tint: '--s-failed', glyph: 'M4 1.5h4L10.5 4v4L8 10.5H4L1.5 8V4zM6 3.5v3M6 8.4h.01' },
  completed: { tone: 'good', tint: '--s-succeeded', glyph: 'M2.5 10.5V1.5h7L7.5 4l2 2.5h-7' },
};

export const lookOf = (state: TargetState | DeploymentState): Look => looks[state];

/** Left to right in the stacked bar: done, under way, waiting, stopped, wrong. */
export const barOrder: readonly TargetState[] = [
  'succeeded',
  ...[...workingStates].reverse(),
  'pending',
  'skipped',
  'cancelling',
  'cancelled',
  ...[...failedStates].reverse(),
];

/** Failing devices first, then what moves, then what waits, what is done last; otherwise the order it had. */
export function byAttention<T extends { state: TargetState }>(targets: readonly T[]): T[] {
  return [...targets].sort((a, b) => attention.indexOf(a.state) - attention.indexOf(b.state));
}

export const sumOf = (counts: Partial<Record<TargetState, number>>, states: readonly TargetState[]): number =>
  states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
