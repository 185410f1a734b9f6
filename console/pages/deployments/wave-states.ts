import { targetStates } from '#webhook/deployments/states.ts';
import type { Deployment, TargetState } from '../../api.ts';

import { glyphs } from '../../parts/glyphs.ts';
import type { Tone } from '../../parts/state-tone.ts';
import { lookOf } from '../../parts/state-tone.ts';

type WaveOf = Deployment['waves'][number];

/** A wave tells kinds of states apart, not each one: those under way are drawn as downloading. */
export function countsOfWave(wave: WaveOf): Record<TargetState, number> {
  const none = Object.fromEntries(targetStates.map((state) => [state, 0])) as Record<TargetState, number>;
  return {
    ...none,
    succeeded: wave.succeeded,
    downloading: wave.active,
    pending: wave.pending,
    skipped: wave.skipped,
    timed_out: wave.timedOut,
    failed: wave.failed,
  };
}

export type ShownState = WaveOf['state'] | 'ended' | 'paused' | 'halted';

/** A wave that is open stands still with its deployment, and one that never reached its gate is not passed but over. */
export function shownState(wave: WaveOf, deployment: Deployment['state']): ShownState {
  if (wave.state === 'open' || wave.state === 'soaking') {
    if (deployment === 'paused' || deployment === 'halted') return deployment;
  }
  const counted = wave.total - wave.skipped;
  const reached = wave.succeeded * 100 >= wave.successPercent * counted && counted > 0;
  return wave.state === 'passed' && !reached ? 'ended' : wave.state;
}

/** Every state of a wave: the compiler refuses one too many or too few. */
export const waveLooks = {
  waiting: { tone: 'waiting', glyph: 'M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9', filled: false },
  open: { tone: 'moving', glyph: 'M3 1.5v9L10.5 6z', filled: true },
  soaking: {
    tone: 'moving',
    glyph: 'M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9M6 3.5V6l2 1.5',
    filled: false,
  },
  passed: { tone: 'good', glyph: glyphs.check, filled: false },
  ended: { tone: 'stopped', glyph: 'M2.5 2.5h7v7h-7z', filled: false },
  paused: { tone: 'stopped', glyph: lookOf('paused').glyph, filled: false },
  halted: { tone: 'bad', glyph: lookOf('halted').glyph, filled: false },
} satisfies Record<ShownState, { tone: Tone; glyph: string; filled: boolean }>;
