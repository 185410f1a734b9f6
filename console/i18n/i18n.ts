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

const first = chooseLanguage(stored(storageKey), navigator.languages);
const [spoken, setSpoken] = createRoot(() =>
  createSignal<{ language: Language; words?: Words }>({ language: first }),
);
let wanted = first;

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
