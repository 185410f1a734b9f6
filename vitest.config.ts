import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const folders = '{emqx,ca,console,firmware,deploy}';

/** No database in them, or PGlite itself. */
export const overNeither = [
  'webhook/db/pglite.test.ts',
  'webhook/{edge,wire,operation,rate-limit,security-headers}.test.ts',
  'webhook/auth/{guard,password}.test.ts',
  'webhook/docs/declared.test.ts',
  'webhook/deployments/{window,transitions,rollout-transitions,states}.test.ts',
  'webhook/deployments/health/{statistics,rollout-gate}.test.ts',
  'webhook/events/hostile-json.test.ts',
  'webhook/vulnerabilities/{osv,feed-file}.test.ts',
  'webhook/workers/{primary,workers}.test.ts',
  'webhook/live/{live,slow-reader}.test.ts',
];

/** Whose SQL leans on what PGlite and PostgreSQL differ in: extensions, partitions, one connection or many. */
export const overBoth = [
  'webhook/{app,upgrade}.test.ts',
  'webhook/{db,search,telemetry,retention,trends,outbox}/**/*.test.ts',
  'webhook/devices/query/**/*.test.ts',
  'webhook/devices/{export,groups,tallies}.test.ts',
  'webhook/events/ingest.test.ts',
  'webhook/deployments/deployments.test.ts',
];

export default defineConfig({
  test: {
    // Real sockets, databases and browsers on two cores, of which two workers use two thirds: they often wait for other processes.
    maxWorkers: 3,
    // A worker keeps the modules that it has read: reading them anew for each file cost more than the tests of most files.
    isolate: false,
    // What vite has made of the sources is kept for the next run, and shared by both projects.
    experimental: { fsModuleCache: true },
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    // As in browsers: Node's own choice is the one that renders on servers, where no effect ever runs.
    alias: [
      {
        find: /^solid-js$/,
        replacement: fileURLToPath(new URL('node_modules/solid-js/dist/solid.js', import.meta.url)),
      },
    ],
    // Nothing takes so long where all is well; a slow machine that does something else besides is no fault. `until` waits as long.
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: [`${folders}/**/*.test.ts`, ...overNeither, ...overBoth],
          globalSetup: ['.ci/pglite.ts'],
        },
      },
      {
        // What touches the database, on a real PostgreSQL; `npm run test:full` has all of it on PGlite, too.
        extends: true,
        test: {
          name: 'postgresql',
          include: ['webhook/**/*.test.ts'],
          exclude: overNeither,
          globalSetup: ['.ci/postgresql.ts'],
          setupFiles: ['.ci/use-postgresql.ts'],
        },
      },
    ],
  },
});
