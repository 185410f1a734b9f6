import type { JSX } from 'solid-js';
import { t } from '../../i18n/i18n.ts';
import { glyphs } from '../../parts/glyphs.ts';
import { Sign } from '../../parts/state.tsx';
import type { VexStatus } from '../../vulnerability-api.ts';

const looks = {
  open: { tone: 'bad', glyph: glyphs.warning },
  affected: { tone: 'bad', glyph: glyphs.cross },
  under_investigation: { tone: 'waiting', glyph: glyphs.dots },
  fixed: { tone: 'good', glyph: glyphs.check },
  not_affected: { tone: 'quiet', glyph: glyphs.check },
} as const satisfies Record<VexStatus | 'open', object>;

export const assessmentWord = (status: VexStatus | 'open'): string =>
  status === 'open' ? t('vuln.open') : t(`vuln.status.${status}`);

/** What was judged; `open` while nobody has. */
export function Assessment(props: { status: VexStatus | 'open'; n?: number }): JSX.Element {
  return (
    <Sign {...looks[props.status]} data-status={props.status}>
      {assessmentWord(props.status)}
      {props.n !== undefined && props.n > 1 ? ` ${props.n}` : ''}
    </Sign>
  );
}
