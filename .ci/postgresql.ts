import postgres from 'postgres';
import { createCluster } from '../deploy/lab/primitives/postgresql.ts';
import { connect } from '../webhook/db/connect.ts';

/**
 * Vitest's global set-up: a server with a migrated database `flota_template`, of which every test takes a copy. It is named in
 * FLOTA_TEST_POSTGRESQL. Returns the way to stop it.
 */
export default async function startPostgresql(): Promise<() => Promise<void>> {
  const cluster = await createCluster();
  const template = new URL(cluster.url);
  template.pathname = '/flota_template';
  const server = postgres(cluster.url, { max: 1, onnotice: () => {} });
  await server.unsafe('create database flota_template');
  await server.end();
  await (await connect({ url: template.href, connections: 1 })).close();
  process.env.FLOTA_TEST_POSTGRESQL = cluster.url;
  return () => cluster.remove();
}
