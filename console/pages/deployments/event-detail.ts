/** A timeline entry's detail as one line: a text as it is, an object as "name value" pairs. */
export function describeDetail(detail: unknown): string {
  if (detail === null || detail === undefined) return '';
  if (typeof detail !== 'object') return String(detail);
  return Object.entries(detail)
    .filter(([, value]) => value !== null && value !== undefined && value !== '')
    .map(([name, value]) => `${name} ${typeof value === 'object' ? describeDetail(value) : value}`)
    .join(', ');
}
