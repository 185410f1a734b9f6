import { defineConfig } from 'vitest/config';

/** What every project shares: real sockets, databases and browsers on two cores, so more workers only make each other time out. */
const shared = { testTimeout: 30_000, hookTimeout: 60_000 };

export default defineConfig({
  test: {
    maxWorkers: 2,
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    projects: [
      {
        extends: true,
        test: { ...shared, name: 'all', include: ['{emqx,webhook,ca,console,firmware,deploy}/**/*.test.ts'] },
      },
    ],
  },
});
