/** PGlite is PostgreSQL compiled to WebAssembly, and opened here by all who do. */
import { setFlagsFromString } from 'node:v8';
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';

/**
 * How much a function must have run, in bytes of its code, before V8 compiles it anew and optimises it. With V8's own 1,800,000 a third of the
 * processor time of a start went there; with this one 400 devices are updated with less in all.
 */
const tieringBudget = 1_000_000_000;

/** Of the process, and in force for what is compiled after it: agents that run as WebAssembly beside a PGlite are among that. */
export function openPglite(options: PGliteOptions = {}): Promise<PGlite> {
  setFlagsFromString(`--wasm-tiering-budget=${tieringBudget}`);
  return PGlite.create(options);
}
