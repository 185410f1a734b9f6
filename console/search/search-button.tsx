import { createSignal, type JSX, lazy, onCleanup, onMount, Show, Suspense } from 'solid-js';
import { t } from '../i18n/i18n.ts';

const SearchDialog = lazy(() => import('./search-dialog.tsx'));

/** Opens the search over everything, as Ctrl-K does (Cmd-K on a Mac). */
export function SearchButton(): JSX.Element {
  const [open, setOpen] = createSignal(false);
  const onKey = (event: KeyboardEvent) => {
    // What is typed right after the shortcut must not be lost while the dialog's file is still on its way.
    if (event.key === 'Control' || event.key === 'Meta') void SearchDialog.preload();
    if (
      event.key.toLowerCase() !== 'k' ||
      !(event.ctrlKey || event.metaKey) ||
      event.shiftKey ||
      event.altKey
    )
      return;
    // Another dialog may hold what somebody has typed.
    if (document.querySelector('dialog[open]')) return;
    event.preventDefault();
    setOpen(true);
  };
  onMount(() => document.addEventListener('keydown', onKey));
  onCleanup(() => document.removeEventListener('keydown', onKey));
  return (
    <>
      <button
        type="button"
        aria-keyshortcuts="Control+K"
        title={t('search.keys')}
        onPointerEnter={() => void SearchDialog.preload()}
        onClick={() => setOpen(true)}
      >
        {t('search.open')}
      </button>
      <Show when={open()}>
        <Suspense>
          <SearchDialog onClose={() => setOpen(false)} />
        </Suspense>
      </Show>
    </>
  );
}
