/** `npm run test:emqx`: the outages against a running EMQX (`deploy/outage/README.md`). */
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['deploy/outage/*.emqx.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: 'verbose',
  },
});
