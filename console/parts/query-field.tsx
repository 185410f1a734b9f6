import { createEffect, createSignal, createUniqueId, For, type JSX, on } from 'solid-js';
import { complete, fields, maxLength, parseQuery, QueryError } from '#webhook/devices/query/grammar.ts';
import { t } from '../i18n/i18n.ts';
import { TextField } from './text-field.tsx';

const fieldNames = fields.map(({ name, part }) => (part === 'needed' ? `${name}.NAME` : name)).join(', ');

/** What is wrong with it, in words; null when it can be asked. */
function describeQueryProblem(text: string): string | null {
  if (text.trim() === '') return null;
  try {
    parseQuery(text);
    return null;
  } catch (error) {
    if (!(error instanceof QueryError)) throw error;
    const place = t('devices.queryProblem', { at: error.at + 1 });
    return error.expected.length === 0
      ? place
      : `${place} ${t('devices.queryExpected', { words: error.expected.join(', ') })}`;
  }
}

/** A query of the language that the API takes as `q`: completed while it is typed, asked on Enter or when the field is left. */
export function QueryField(props: { value: string; onQuery: (text: string) => void }): JSX.Element {
  const list = createUniqueId();
  const [text, setText] = createSignal(props.value);
  const [problem, setProblem] = createSignal<string | null>(null);
  createEffect(
    on(
      () => props.value,
      (value) => {
        setText(value);
        setProblem(describeQueryProblem(value));
      },
    ),
  );
  const completions = () => {
    const { at, words } = complete(text());
    return words.map((word) => text().slice(0, at) + word);
  };
  const ask = () => {
    const found = describeQueryProblem(text());
    setProblem(found);
    if (found === null && text().trim() !== props.value) props.onQuery(text().trim());
  };
  return (
    <form
      class="query"
      onChange={ask}
      onSubmit={(event) => {
        event.preventDefault();
        ask();
      }}
    >
      <TextField
        label={t('devices.query')}
        name="q"
        hint={t('devices.queryHelp', { fields: fieldNames })}
        wrong={problem()}
        value={text()}
        maxLength={maxLength}
        list={list}
        onInput={(value) => {
          setText(value);
          setProblem(null);
        }}
      />
      <datalist id={list}>
        <For each={completions()}>{(whole) => <option value={whole} />}</For>
      </datalist>
    </form>
  );
}
