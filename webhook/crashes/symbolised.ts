/** Groups get the names of their calls: when the ELF comes, when a group of an ELF that is there is made, and when somebody looks. */
import { sql } from 'drizzle-orm';
import type { Context } from '../context.ts';
import { query } from '../db/query.ts';
import { paced } from '../paced.ts';
import * as elfs from './elfs.ts';
import { againMs, type Call } from './symbols.ts';

/** `no_elf`: none is uploaded that the group's is the beginning of. `no_tool`: nothing is installed here that could read it. */
export const symbolStates = ['known', 'no_elf', 'no_tool', 'failed'] as const;
export type SymbolState = (typeof symbolStates)[number];
type Symbols = Record<string, Call[]>;

/** Addresses of a group whose names are kept: those of several reports, for who looks may see different ones. */
const namesAtMost = 256;

/** The names of these calls of one group, which are kept. */
export async function symbolise(
  context: Context,
  { id, elf, symbols }: { id: string; elf: string; symbols: Symbols },
  frames: string[],
): Promise<{ symbols: Symbols; state: SymbolState }> {
  const unknown = frames.filter((address) => !Object.hasOwn(symbols, address));
  if (unknown.length === 0) return { symbols, state: 'known' };
  const uploaded = await elfs.findUploaded(context.db, elf);
  if (!uploaded) return { symbols, state: 'no_elf' };
  const { symboliser } = context;
  if (symboliser.tool === null) return { symbols, state: 'no_tool' };
  try {
    const found = await symboliser.symbolise(uploaded.sha256, [...new Set(unknown)], (path) =>
      elfs.fetchTo(context, uploaded, path),
    );
    const these = Object.fromEntries(
      frames.map((address) => [address, symbols[address] ?? found[address] ?? []]),
    );
    const all = { ...symbols, ...these };
    const kept = Object.keys(all).length > namesAtMost ? these : all;
    await context.db.execute(
      sql`update crash_groups set symbols = ${JSON.stringify(kept)}::jsonb where id = ${id}::uuid`,
    );
    return { symbols: kept, state: 'known' };
  } catch (error) {
    context.log('warn', 'a crash cannot be symbolised', { group: id, error });
    return { symbols, state: 'failed' };
  }
}

/** So many groups get the names of their first calls in one run. */
const waitingAtMost = 100;

/** Of the groups of this ELF that have no names yet. */
export async function symboliseWaiting(
  context: Context,
  elf: elfs.FirmwareElf,
): Promise<'done' | 'more' | 'failed'> {
  const { db, log, symboliser } = context;
  if (symboliser.tool === null) return 'done';
  const groups = await query<{ id: string; frames: string[] }>(
    db,
    sql`select id, frames from crash_groups where symbols = '{}' and ${elfs.isElfOf(sql`elf`, elf)}
        order by last_seen_at desc limit ${waitingAtMost}`,
  );
  if (groups.length === 0) return 'done';
  try {
    const addresses = [...new Set(groups.flatMap((group) => group.frames))];
    const found = await symboliser.symbolise(elf.sha256, addresses, (path) =>
      elfs.fetchTo(context, elf, path),
    );
    const rows = groups.map(({ id, frames }) => ({
      id,
      symbols: Object.fromEntries(frames.map((address) => [address, found[address] ?? []])),
    }));
    await db.execute(sql`
      update crash_groups g set symbols = v.symbols
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as v(id uuid, symbols jsonb) where g.id = v.id`);
    return groups.length === waitingAtMost ? 'more' : 'done';
  } catch (error) {
    log('warn', 'crashes cannot be symbolised', { firmware: elf.firmwareId, error });
    return 'failed';
  }
}

/** A step of `background.ts`: a group that is made after its ELF has come is named within seconds, whether or not somebody looks. */
export const createSymboliseNew = (everyMs = 5_000) => {
  const notBefore = new Map<string, number>();
  return paced({ everyMs }, async function symboliseNew(context: Context) {
    if (context.symboliser.tool === null) return 'done';
    const now = performance.now();
    for (const [sha256, at] of notBefore) if (at <= now) notBefore.delete(sha256);
    const waiting = (await elfs.findAwaited(context.db)).find(({ sha256 }) => !notBefore.has(sha256));
    if (!waiting) return 'done';
    if ((await symboliseWaiting(context, waiting)) === 'failed') notBefore.set(waiting.sha256, now + againMs);
    return 'more';
  });
};
