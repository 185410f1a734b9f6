import { type JSX, Show } from 'solid-js';
import { t } from '../i18n/i18n.ts';

/** Which rows are shown of how many, and the way to the others. `page` counts from 1. */
export function Pager(props: {
  page: number;
  pageSize: number;
  total: number;
  /** There are more than that. */
  more?: boolean | undefined;
  onPage: (page: number) => void;
}): JSX.Element {
  const from = () => Math.min((props.page - 1) * props.pageSize + 1, props.total);
  const to = () => Math.min(props.page * props.pageSize, props.total);
  return (
    <nav class="pager" aria-label={t('pager.label')}>
      <span role="status">
        {t(props.more ? 'pager.rangeMore' : 'pager.range', { from: from(), to: to(), total: props.total })}
      </span>
      <Show when={props.total > props.pageSize || props.page > 1}>
        <button
          type="button"
          class="button"
          disabled={props.page <= 1}
          onClick={() => props.onPage(props.page - 1)}
        >
          {t('pager.previous')}
        </button>
        <button
          type="button"
          class="button"
          disabled={to() >= props.total}
          onClick={() => props.onPage(props.page + 1)}
        >
          {t('pager.next')}
        </button>
      </Show>
    </nav>
  );
}
