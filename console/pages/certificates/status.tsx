import type { JSX } from 'solid-js';
import type { Certificate } from '../../api.ts';
import { tMaybe } from '../../i18n/i18n.ts';
import { Glyph } from '../../parts/state.tsx';

type Status = Certificate['status'];

/** Every status: the compiler refuses one too many or too few. */
const looks = {
  valid: { tone: 'good', glyph: 'M1.5 6.5 4.5 9.5 10.5 2.5' },
  unused: { tone: 'quiet', glyph: 'M2 6h.01M6 6h.01M10 6h.01' },
  superseded: { tone: 'quiet', glyph: 'M1.5 6h8M6.5 3l3 3-3 3' },
  expired: { tone: 'bad', glyph: 'M6 1.5v5M6 10h.01' },
  revoked: { tone: 'bad', glyph: 'M2 2l8 8M10 2l-8 8' },
} satisfies Record<Status, { tone: string; glyph: string }>;
export const statuses = Object.keys(looks) as Status[];

export const statusWord = (status: Status): string => tMaybe(`certStatus.${status}`) ?? status;

export function StatusMark(props: { status: Status }): JSX.Element {
  return (
    <span class={`state tone-${looks[props.status].tone}`} data-status={props.status}>
      <Glyph path={looks[props.status].glyph} />
      <span class="word">{statusWord(props.status)}</span>
    </span>
  );
}
