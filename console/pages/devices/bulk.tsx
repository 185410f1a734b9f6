import { createEffect, createMemo, createSignal, For, type JSX, on, Show } from 'solid-js';
import type { Chosen } from '../../api.ts';
import { t } from '../../i18n/i18n.ts';
import { Allowed } from '../../parts/allowed.tsx';
import type { Role } from '../../session.ts';
import { type BulkAct, BulkDialog } from './bulk-dialog.tsx';

/** The devices that are checked, or all that match what the page shows. */
export function createPicks(options: {
  query: () => string;
  total: () => number | undefined;
  /** `total` is not all: they are counted when somebody chooses all of them. */
  more: () => boolean;
  countAll: (query: string) => Promise<number>;
}) {
  const [picked, setPicked] = createSignal<readonly string[]>([]);
  const [every, setEvery] = createSignal(false);
  const has = createMemo(() => new Set(picked()));
  const toggle = (id: string) =>
    setPicked((all) => (all.includes(id) ? all.filter((one) => one !== id) : [...all, id]));
  const [counted, setCounted] = createSignal<number>();
  createEffect(
    on([every, options.query, options.more], ([all, query, more]) => {
      setCounted(undefined);
      if (!all || !more) return;
      options.countAll(query).then(
        (n) => {
          if (every() && options.query() === query) setCounted(n);
        },
        // Without a number nothing is offered; the list tells of a server that is away.
        () => {},
      );
    }),
  );
  const clear = () => {
    setPicked([]);
    setEvery(false);
  };
  const chosen = (): Chosen => {
    if (!every()) return { devices: [...picked()] };
    return options.query() === '' ? { all: true } : { query: options.query() };
  };
  /** 0 while they are counted. */
  const count = () => {
    if (!every()) return picked().length;
    return options.more() ? (counted() ?? 0) : (options.total() ?? 0);
  };
  return { has: (id: string) => every() || has().has(id), toggle, every, setEvery, clear, chosen, count };
}
export type Picks = ReturnType<typeof createPicks>;

const acts: { act: BulkAct; to: Role }[] = [
  { act: 'deploy', to: 'operator' },
  { act: 'command', to: 'operator' },
  { act: 'tag', to: 'admin' },
  { act: 'move', to: 'admin' },
  { act: 'channel', to: 'admin' },
  { act: 'pin', to: 'admin' },
  { act: 'unpin', to: 'admin' },
  { act: 'ban', to: 'admin' },
];

/** How many are chosen, and what can be done with them. */
export function BulkBar(props: { picks: Picks; total: number; more: boolean }): JSX.Element {
  const [asking, setAsking] = createSignal<BulkAct>();
  return (
    <section class="bulk" aria-label={t('bulk.title')}>
      <label class="check">
        <input
          type="checkbox"
          checked={props.picks.every()}
          onChange={(event) => props.picks.setEvery(event.currentTarget.checked)}
        />
        {t(props.more ? 'bulk.everyMore' : 'bulk.every', { n: props.total })}
      </label>
      <span role="status" class="soft" data-testid="bulk-count">
        {props.picks.count() > 0 ? t('bulk.chosen', { n: props.picks.count() }) : ''}
      </span>
      <Show when={props.picks.count() > 0}>
        <For each={acts}>
          {({ act, to }) => (
            <Allowed to={to}>
              <button
                type="button"
                class={`button ${act === 'ban' ? 'danger' : ''}`}
                onClick={() => setAsking(act)}
              >
                {t(`bulk.${act}`)}
              </button>
            </Allowed>
          )}
        </For>
        <button type="button" class="plain link" onClick={() => props.picks.clear()}>
          {t('common.clear')}
        </button>
      </Show>
      <Show when={asking()} keyed>
        {(act) => (
          <BulkDialog
            act={act}
            chosen={props.picks.chosen()}
            count={props.picks.count()}
            onClose={() => setAsking(undefined)}
          />
        )}
      </Show>
    </section>
  );
}
