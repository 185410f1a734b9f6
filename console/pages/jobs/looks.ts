import type { Job } from '../../api.ts';
import { glyphs } from '../../parts/glyphs.ts';

export const looks = {
  running: { tone: 'waiting', glyph: glyphs.dots },
  done: { tone: 'good', glyph: glyphs.check },
  cancelled: { tone: 'waiting', glyph: glyphs.cross },
} as const satisfies Record<Job['state'], object>;
