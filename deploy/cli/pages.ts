/** Lists that come in pages, as one. */
const pageSize = 500;

export async function readPages<T>(
  max: number,
  ask: (query: { limit: number; offset: number }) => Promise<T[] | { items: T[]; total: number }>,
): Promise<T[]> {
  const all: T[] = [];
  while (all.length < max) {
    const found = await ask({ limit: Math.min(pageSize, max - all.length), offset: all.length });
    const { items, total } = Array.isArray(found) ? { items: found, total: 0 } : found;
    all.push(...items);
    if (items.length === 0 || all.length >= total) break;
  }
  return all;
}
