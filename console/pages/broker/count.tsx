import { type JSX, Show } from 'solid-js';
import { formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { Glyph } from '../../parts/state.tsx';

/** A count; zero is quiet, so that what is not zero is seen. */
export function Count(props: { n: number }): JSX.Element {
  return <span classList={{ soft: props.n === 0 }}>{formatNumber(language(), props.n)}</span>;
}

/** Something that should be zero: with a shape when it is not, and in words why. */
export function Alarm(props: { n: number; why: string; tone: 'bad' | 'moving' }): JSX.Element {
  return (
    <Show when={props.n > 0} fallback={<Count n={0} />}>
      <span class={`state tone-${props.tone}`} title={props.why}>
        <Glyph
          path={props.tone === 'bad' ? 'M6 1.5 11 10.5H1zM6 5v2.5M6 9h.01' : 'M1.5 3h9M1.5 6h9M1.5 9h9'}
        />
        <strong class="word">{formatNumber(language(), props.n)}</strong>
        <span class="unseen">{props.why}</span>
      </span>
    </Show>
  );
}

/** Where in EMQX's dashboard this is tuned. */
export function Tune(props: { href: string; id: string }): JSX.Element {
  return (
    <a class="link small" href={props.href} target="_blank" rel="noreferrer">
      {t('broker.tune')}
      <span class="unseen"> {props.id}</span>
    </a>
  );
}
