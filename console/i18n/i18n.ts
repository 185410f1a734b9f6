import { createRoot, createSignal } from 'solid-js';
import { en } from './en.ts';
import { ko } from './ko.ts';
import { chooseLanguage, type Language, languages } from './language.ts';
import { fillMessage, type Values } from './message.ts';

export type MessageKey = keyof typeof en;

const dictionaries: Record<Language, Record<MessageKey, string>> = { en, ko };
const storageKey = 'flota.language';

function remember(value?: Language): string | null {
  try {
    if (value) localStorage.setItem(storageKey, value);
    return localStorage.getItem(storageKey);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
    return null;
  }
}

const [language, setSignal] = createRoot(() =>
  createSignal<Language>(chooseLanguage(remember(), navigator.languages)),
);

export function setLanguage(value: Language): void {
  remember(value);
  setSignal(value);
}

export const t = (key: MessageKey, values?: Values): string =>
  fillMessage(language(), dictionaries[language()][key], values);

/** A message whose key is only known at run time (states, error codes), or null when there is none. */
export function tMaybe(key: string, values?: Values): string | null {
  return key in dictionaries.en ? t(key as MessageKey, values) : null;
}

export { type Language, language, languages };
