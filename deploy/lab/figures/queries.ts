/** What the console's lists and pages ask for with a hundred thousand devices, against the same with a thousand. */
import type { Figures } from './figures.ts';
import { comparePages, prepare } from './site.ts';
import { withPostgresql } from './webhook-copy.ts';

const small = 1_000;
const large = 100_000;
const aimMs = 50;

export async function measureQueries(): Promise<Figures> {
  return withPostgresql(async (server) => {
    const few = await prepare(server, small);
    const many = await prepare(server, large);
    try {
      return await comparePages('queries', few, many, aimMs);
    } finally {
      await few.copy.close();
      await many.copy.close();
    }
  });
}
