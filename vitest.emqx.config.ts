/** `npm run test:emqx`: what depends on the broker, against a running EMQX (`deploy/lab/README.md`), or against the stand-in where none is named. */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      'deploy/lab/broker/*.test.ts',
      'deploy/lab/broker/*.emqx.ts',
      'deploy/lab/outage/outage.test.ts',
    ],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true', FLOTA_TEST_EMQX: 'yes' },
    globalSetup: ['.ci/pglite.ts'],
    // They share one broker, whose rules each sets.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', './deploy/lab/broker/table-reporter.ts'],
  },
});
