import { keepDatabase } from '../deploy/lab/system/kept-database.ts';

/** Vitest's global set-up: a migrated PGlite of which every test takes a copy, named in FLOTA_TEST_PGLITE. */
export default async function nameDatabase(): Promise<void> {
  process.env.FLOTA_TEST_PGLITE = await keepDatabase();
}
