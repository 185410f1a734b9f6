import { type JSX, Show } from 'solid-js';
import { formatNumber } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import type { Column } from '../../parts/data-table.tsx';
import { glyphs } from '../../parts/glyphs.ts';
import { Glyph } from '../../parts/state.tsx';
import { dashboardPage } from './readings.ts';

/** A count; zero is quiet, so that what is not zero is seen. */
export function Count(props: { n: number }): JSX.Element {
  return <span classList={{ soft: props.n === 0 }}>{formatNumber(language(), props.n)}</span>;
}

/** Something that should be zero: with a shape when it is not, and in words why. */
export function Alarm(props: { n: number; why: string; tone: 'bad' | 'moving' }): JSX.Element {
  return (
    <Show when={props.n > 0} fallback={<Count n={0} />}>
      <span class={`state tone-${props.tone}`} title={props.why}>
        <Glyph path={props.tone === 'bad' ? glyphs.warning : 'M1.5 3h9M1.5 6h9M1.5 9h9'} />
        <strong class="word">{formatNumber(language(), props.n)}</strong>
        <span class="unseen">{props.why}</span>
      </span>
    </Show>
  );
}

/** The column that leads to where in EMQX's dashboard each is tuned; none without a dashboard. */
export function describeTuning<Row extends { id: string }>(
  dashboard: string | null,
  kind: 'rules' | 'actions',
): Column<Row>[] {
  if (dashboard === null) return [];
  const link = ({ id }: Row) => (
    <a class="link small" href={dashboardPage(dashboard, kind)} target="_blank" rel="noreferrer">
      {t('broker.tune')}
      <span class="unseen"> {id}</span>
    </a>
  );
  return [{ head: '', class: 'num mid', cell: link }];
}
