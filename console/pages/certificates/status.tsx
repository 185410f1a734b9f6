import type { JSX } from 'solid-js';
import type { Certificate } from '../../api.ts';
import { tMaybe } from '../../i18n/i18n.ts';
import { glyphs } from '../../parts/glyphs.ts';
import { Sign } from '../../parts/state.tsx';
import type { Tone } from '../../parts/state-tone.ts';

type Status = Certificate['status'];

/** Every status: the compiler refuses one too many or too few. */
const looks = {
  valid: { tone: 'good', glyph: glyphs.check },
  unused: { tone: 'quiet', glyph: glyphs.dots },
  superseded: { tone: 'quiet', glyph: 'M1.5 6h8M6.5 3l3 3-3 3' },
  expired: { tone: 'bad', glyph: 'M6 1.5v5M6 10h.01' },
  revoked: { tone: 'bad', glyph: glyphs.cross },
} satisfies Record<Status, { tone: Tone; glyph: string }>;
export const statuses = Object.keys(looks) as Status[];

export const statusWord = (status: Status): string => tMaybe(`certStatus.${status}`) ?? status;

export function StatusMark(props: { status: Status }): JSX.Element {
  return (
    <Sign tone={looks[props.status].tone} glyph={looks[props.status].glyph} data-status={props.status}>
      {statusWord(props.status)}
    </Sign>
  );
}
