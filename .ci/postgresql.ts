import { createCluster } from '../deploy/lab/primitives/postgresql.ts';

/** Vitest's global set-up: names the server in FLOTA_TEST_POSTGRESQL, and returns the way to stop it. */
export default async function startPostgresql(): Promise<() => Promise<void>> {
  const cluster = await createCluster();
  process.env.FLOTA_TEST_POSTGRESQL = cluster.url;
  return () => cluster.remove();
}
