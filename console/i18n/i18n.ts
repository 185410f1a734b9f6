import { createRoot, createSignal } from 'solid-js';
import { stored } from '../stored.ts';
import type { en } from './en.ts';
import { chooseLanguage, type Language, languages } from './language.ts';
import { fillMessage, type Values } from './message.ts';

export type MessageKey = keyof typeof en;
type Words = Record<MessageKey, string>;

/** Only the language that is spoken is fetched. */
const dictionaries: Record<Language, () => Promise<Words>> = {
  en: () => import('./en.ts').then((module) => module.en),
  ko: () => import('./ko.ts').then((module) => module.ko),
};
const storageKey = 'flota.language';

const remembered = stored(storageKey);
const first = chooseLanguage(remembered, navigator.languages);
if (remembered) tellServer(first);
const [spoken, setSpoken] = createRoot(() =>
  createSignal<{ language: Language; words?: Words }>({ language: first }),
);
let wanted = first;

/** The server has the words fetched with the document. Nothing but a hint: what is spoken is decided here. */
function tellServer(language: Language): void {
  // biome-ignore lint/suspicious/noDocumentCookie: Firefox and Safari had no Cookie Store until lately, and it takes no plain http.
  document.cookie = `flota_language=${language}; path=/; max-age=31536000; samesite=lax`;
}

async function speak(language: Language): Promise<void> {
  wanted = language;
  const words = await dictionaries[language]();
  if (wanted === language) setSpoken({ language, words });
}

/** Resolves once there are words; nothing is shown before that. */
export const ready: Promise<void> = speak(first);

export const language = (): Language => spoken().language;

/** The words change when the dictionary has come. */
export function setLanguage(value: Language): void {
  stored(storageKey, value);
  tellServer(value);
  // A dictionary that cannot be had leaves the language as it is; the next load tries again.
  speak(value).catch(() => {});
}

export function t(key: MessageKey, values?: Values): string {
  const { language, words } = spoken();
  return words ? fillMessage(language, words[key], values) : '';
}

/** A message whose key is only known at run time (states, error codes), or null when there is none. */
export function tMaybe(key: string, values?: Values): string | null {
  const { words } = spoken();
  return words && key in words ? t(key as MessageKey, values) : null;
}

export { type Language, languages };
