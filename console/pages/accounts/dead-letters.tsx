import { createMemo, createSignal, type JSX, Show } from 'solid-js';
import { adminApi, type DeadLetter, type DeadLetters } from '../../admin-api.ts';
import { formatBytes } from '../../format.ts';
import { language, t } from '../../i18n/i18n.ts';
import { createList } from '../../list.ts';
import type { Column } from '../../parts/data-table.tsx';
import { FilterBar, ListTable } from '../../parts/list-page.tsx';
import { Empty } from '../../parts/notes.tsx';
import { Head } from '../../parts/page.tsx';
import { SearchField } from '../../parts/search-field.tsx';
import { Ago } from '../../parts/time.tsx';
import { Letter } from './dead-letter.tsx';
import { codeWord } from './letter-words.ts';

const describe = (open: (letter: DeadLetter) => void): Column<DeadLetter>[] => [
  {
    head: t('letters.what'),
    cell: (letter) => (
      <>
        <button type="button" class="plain row-open" onClick={() => open(letter)}>
          {codeWord(letter.code)}
        </button>
        <p class="small soft">{letter.detail}</p>
      </>
    ),
  },
  { head: t('letters.from'), class: 'clip', cell: (letter) => letter.clientId ?? '–' },
  { head: t('letters.topic'), class: 'mid clip soft', cell: (letter) => <code>{letter.topic ?? '–'}</code> },
  {
    head: t('firmware.size'),
    class: 'num wide soft',
    cell: (letter) => formatBytes(language(), letter.bytes),
  },
  { head: t('letters.at'), class: 'tight soft', cell: (letter) => <Ago at={letter.receivedAt} /> },
];

/** What devices said and nobody could handle. */
export default function DeadLettersPage(): JSX.Element {
  const [open, setOpen] = createSignal<DeadLetter>();
  const list = createList<DeadLetter, 'clientId', DeadLetters>({
    filters: ['clientId'],
    fetch: adminApi.listDeadLetters,
    live: 'dead_letter',
  });
  const columns = createMemo(() => describe(setOpen));
  return (
    <>
      <Head title={t('letters.title')} lead={t('letters.lead')} />
      <FilterBar list={list}>
        <SearchField
          main
          label={t('letters.byDevice')}
          value={list.value('clientId')}
          onSearch={(clientId) => list.set({ clientId })}
        />
      </FilterBar>
      <Show when={list.load.data?.dropped.letters ? list.load.data.dropped : null}>
        {(dropped) => (
          <p class="soft" data-testid="dropped">
            {t('letters.dropped', { n: dropped().letters, size: formatBytes(language(), dropped().bytes) })}
          </p>
        )}
      </Show>
      <ListTable
        caption={t('letters.title')}
        list={list}
        columns={columns()}
        empty={
          <Show
            when={list.narrowed()}
            fallback={<Empty title={t('letters.empty')} lead={t('letters.emptyLead')} />}
          >
            <Empty title={t('common.noMatch')} lead={t('letters.exact')} />
          </Show>
        }
      />
      <Show when={open()} keyed>
        {(letter) => (
          <Letter
            id={letter.id}
            onClose={() => {
              setOpen(undefined);
              list.load.refetch();
            }}
          />
        )}
      </Show>
    </>
  );
}
