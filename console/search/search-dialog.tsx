import { useNavigate } from '@solidjs/router';
import { createEffect, createMemo, createSignal, createUniqueId, For, type JSX, on, Show } from 'solid-js';
import { api } from '../api.ts';
import { t } from '../i18n/i18n.ts';
import { createLoad } from '../load.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Problem } from '../parts/notes.tsx';
import { createSettled } from '../settled.ts';
import { type Entry, toSections } from './entries.ts';

/** A combobox as ARIA describes it: the focus stays in the field, arrows move over the list, Enter goes there. */
export default function SearchDialog(props: { onClose: () => void }): JSX.Element {
  const id = createUniqueId();
  const navigate = useNavigate();
  const [typed, setTyped] = createSignal('');
  const [active, setActive] = createSignal(0);
  const text = () => typed().trim();
  const settled = createSettled(text);
  const load = createLoad(
    () => settled() || null,
    async (q, signal) => ({ q, ...(await api.search(q, signal)) }),
  );
  const sections = createMemo(() =>
    toSections(text(), text() !== '' && load.data?.q === text() ? load.data : undefined),
  );
  const entries = createMemo(() => sections().flatMap((section) => section.entries));
  const indexOf = (entry: Entry) => entries().indexOf(entry);
  const optionId = (index: number) => `${id}-${index}`;
  const waiting = () => text() !== '' && load.data?.q !== text() && !load.error;
  createEffect(on(text, () => setActive(0), { defer: true }));
  createEffect(
    on([active, entries], ([index]) =>
      document.getElementById(optionId(index))?.scrollIntoView({ block: 'nearest' }),
    ),
  );

  return (
    <Dialog wide title={t('search.title')} onClose={props.onClose}>
      {(close) => {
        const go = (entry: Entry | undefined) => {
          if (!entry) return;
          close();
          if ('act' in entry) entry.act();
          else navigate(entry.href);
        };
        const onKey = (event: KeyboardEvent) => {
          if (event.isComposing) return;
          const last = entries().length - 1;
          if (event.key === 'ArrowDown') setActive((index) => (index >= last ? 0 : index + 1));
          else if (event.key === 'ArrowUp')
            setActive((index) => (index <= 0 ? Math.max(0, last) : index - 1));
          else if (event.key === 'Enter') go(entries()[active()]);
          else return;
          event.preventDefault();
        };
        return (
          <div class="find">
            <input
              class="input"
              type="text"
              role="combobox"
              autofocus
              autocomplete="off"
              spellcheck={false}
              maxLength={100}
              aria-label={t('search.title')}
              aria-expanded={entries().length > 0}
              aria-controls={id}
              aria-autocomplete="list"
              aria-activedescendant={entries().length > 0 ? optionId(active()) : undefined}
              placeholder={t('search.hint')}
              value={typed()}
              onInput={(event) => setTyped(event.currentTarget.value)}
              onKeyDown={onKey}
            />
            <Problem error={load.error} retry={load.refetch} />
            <div id={id} role="listbox" aria-label={t('search.results')} class="found">
              <For each={sections()}>
                {(section) => (
                  // biome-ignore lint/a11y/useSemanticElements: a fieldset is no part of a list
                  <div role="group" aria-label={section.title}>
                    <p class="hint" aria-hidden="true">
                      {section.title}
                    </p>
                    <For each={section.entries}>
                      {(entry) => (
                        // biome-ignore lint/a11y/useFocusableInteractive: the field has the focus and names the active one
                        // biome-ignore lint/a11y/useKeyWithClickEvents: so it has the keys
                        <div
                          role="option"
                          id={optionId(indexOf(entry))}
                          aria-selected={indexOf(entry) === active()}
                          onMouseMove={() => setActive(indexOf(entry))}
                          onClick={() => go(entry)}
                        >
                          <span>{entry.label}</span>
                          <Show when={entry.note}>
                            <span class="soft small">{entry.note}</span>
                          </Show>
                        </div>
                      )}
                    </For>
                  </div>
                )}
              </For>
            </div>
            <p class="hint" role="status">
              {waiting()
                ? t('common.loading')
                : text() === ''
                  ? t('search.help')
                  : t('search.count', { n: entries().length })}
            </p>
          </div>
        );
      }}
    </Dialog>
  );
}
