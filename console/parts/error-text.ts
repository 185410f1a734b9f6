import { ApiError } from '../http.ts';
import { tMaybe } from '../i18n/i18n.ts';

/** What to tell a person about an error: our words for a known code, else the server's detail. */
export function describeError(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const known = tMaybe(`error.${error.code}`, { status: error.status, detail: error.detail });
  if (error.code === 'unknown' || !known) return error.detail || known || error.code;
  return known;
}
