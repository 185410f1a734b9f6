import { ApiError, type FieldError } from '../http.ts';
import { tMaybe } from '../i18n/i18n.ts';

/** What is wrong with a field: our words for a known rule, else the server's. */
export const describeField = ({ rule, values, message }: FieldError): string =>
  (rule && tMaybe(`rule.${rule}`, values)) || message;

export const describeFields = (errors: readonly FieldError[]): string =>
  errors.map((e) => (e.path ? `${e.path}: ${describeField(e)}` : describeField(e))).join('; ');

/** What to tell a person about an error: our words for a known code, else the server's detail. */
export function describeError(error: unknown): string {
  if (!(error instanceof ApiError)) return error instanceof Error ? error.message : String(error);
  const detail = error.errors.length ? describeFields(error.errors) : error.detail;
  const known = tMaybe(`error.${error.code}`, { status: error.status, detail });
  if (error.code === 'unknown' || !known) return error.detail || known || error.code;
  return known;
}
