import type { JSX } from 'solid-js';
import { t } from '../i18n/i18n.ts';
import { glyphs } from './glyphs.ts';
import { Glyph } from './state.tsx';

export function Signature(props: { signed: boolean }): JSX.Element {
  return (
    <span class={`state ${props.signed ? 'tone-good' : 'tone-bad'}`}>
      <Glyph path={props.signed ? glyphs.check : 'M6 1.5v5M6 10h.01'} />
      <span class="word">{props.signed ? t('firmware.signed') : t('firmware.unsigned')}</span>
    </span>
  );
}
