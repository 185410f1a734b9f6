import { z } from '@hono/zod-openapi';

/** Of devices without a region. */
export const defaultTimeZone = 'UTC';

/** An IANA name such as `Europe/Madrid`; offsets such as `+02:00` know no daylight saving and are none. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/.test(name)) return false;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

export const timeZoneSchema = z
  .string()
  .max(64)
  .refine(isTimeZone, {
    error: 'is no IANA time zone, such as Europe/Madrid',
    params: { rule: 'time_zone' },
  });
