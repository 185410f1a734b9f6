/** `npm run test:emqx`: the outages against a running EMQX (`deploy/lab/README.md`). */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['deploy/lab/outage/*.emqx.ts'],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: 'verbose',
  },
});
