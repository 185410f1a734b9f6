/** PGlite is PostgreSQL compiled to WebAssembly, and opened here by all who do. */
import { setFlagsFromString } from 'node:v8';
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';

/**
 * How much a function must have run, in bytes of its code, before V8 compiles it anew and optimises it. With V8's own 1,800,000 a third of the
 * processor time of a start went there; with this one 400 devices are updated with less in all.
 */
const tieringBudget = 1_000_000_000;

/** Below it are the types that PostgreSQL itself names to its clients; those of its catalogues and of each of our tables follow. */
const firstOfCatalogues = 4_000;

/** The budget is the process's, and in force for what is compiled after it: agents that run as WebAssembly beside a PGlite are among that. */
export async function openPglite(options: PGliteOptions = {}): Promise<PGlite> {
  setFlagsFromString(`--wasm-tiering-budget=${tieringBudget}`);
  const client = await PGlite.create(options);
  // It makes one for the array of each of 400 types, and copies all of them for each query that brings parsers of its own, as Drizzle's do.
  for (const type of Object.keys(client.parsers))
    if (Number(type) >= firstOfCatalogues) delete client.parsers[Number(type)];
  return client;
}
