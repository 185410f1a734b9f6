/** Lists that come in pages, as one: each page is asked for by what the one before ended with. */
const pageSize = 500;

export async function readPages<T>(
  max: number,
  ask: (query: { limit: number; cursor?: string }) => Promise<T[] | { items: T[]; next: string | null }>,
): Promise<T[]> {
  const all: T[] = [];
  let cursor: string | undefined;
  while (all.length < max) {
    const limit = Math.min(pageSize, max - all.length);
    const found = await ask(cursor === undefined ? { limit } : { limit, cursor });
    const { items, next } = Array.isArray(found) ? { items: found, next: null } : found;
    all.push(...items);
    if (next === null) break;
    cursor = next;
  }
  return all;
}
