import { S3Error } from './errors.ts';

export interface ByteRange {
  /** Both counted in. */
  start: number;
  end: number;
}

/**
 * One range of a Range header (RFC 9110 §14.1.2). Undefined means the whole object: for no header, one that does not parse, or
 * several ranges, which S3 does not serve.
 * @throws S3Error InvalidRange, when no byte of the object is asked for
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '');
  if (!match) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  // A last byte before the first makes the header invalid, and so ignored.
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  if (start >= size || (first === '' && Number(last) === 0)) {
    throw new S3Error('InvalidRange', 'The requested range is not satisfiable', {
      details: { RangeRequested: header ?? '', ActualObjectSize: String(size) },
      headers: { 'content-range': `bytes */${size}` },
    });
  }
  return { start, end };
}
