/** `npm run test:full`: what `npm test` runs, and what takes minutes (`*.full.ts`). */
import { defineConfig, mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

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
      ],
    },
  }),
);
