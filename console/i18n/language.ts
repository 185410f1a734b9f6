export const languages = { en: 'English', ko: '한국어' } as const;
export type Language = keyof typeof languages;

const isLanguage = (value: unknown): value is Language =>
  typeof value === 'string' && Object.hasOwn(languages, value);

/** The remembered choice, else the first of the browser's languages that we speak, else English. */
export function chooseLanguage(remembered: string | null, preferred: readonly string[]): Language {
  if (isLanguage(remembered)) return remembered;
  return preferred.map((tag) => tag.split('-')[0]).find(isLanguage) ?? 'en';
}
