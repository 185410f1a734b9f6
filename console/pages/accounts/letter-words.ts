import { tMaybe } from '../../i18n/i18n.ts';

/** Why nobody could handle it, in words. */
export const codeWord = (code: string): string => tMaybe(`letter.${code}`) ?? code.replaceAll('_', ' ');
