/** `npm run test:full`: what `npm test` runs, what takes minutes (`*.full.ts`), and the webhook's tests on PGlite. */
import { defineConfig, mergeConfig } from 'vitest/config';
import base, { overBoth, overNeither } from './vitest.config.ts';

export default mergeConfig(
  base,
  defineConfig({
    test: {
      projects: [
        {
          extends: true,
          test: {
            name: 'full',
            include: ['{emqx,webhook,ca,console,firmware,deploy}/**/*.full.ts'],
            globalSetup: ['.ci/pglite.ts'],
          },
        },
        {
          extends: true,
          test: {
            name: 'pglite',
            include: ['webhook/**/*.test.ts'],
            exclude: [...overNeither, ...overBoth],
            globalSetup: ['.ci/pglite.ts'],
          },
        },
      ],
    },
  }),
);
