import { isWithinJsonLimits } from '#emqx/protocol.ts';

/**
 * The broker's row as it came, with its payload opened where that is JSON. What is nested beyond the protocol's limits stays as it came:
 * indented, 16 KiB of brackets would be a hundred megabytes of spaces.
 */
export function readable(body: string): string {
  const row = parse(body);
  if (typeof row !== 'object' || row === null || !isWithinJsonLimits(row)) return body;
  const payload = 'payload' in row && typeof row.payload === 'string' ? parse(row.payload) : undefined;
  const opened = payload !== undefined && isWithinJsonLimits(payload) ? { ...row, payload } : row;
  return JSON.stringify(opened, null, 2);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
