import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{emqx,webhook,ca,console,firmware,deploy}/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Real sockets, databases and browsers on two cores: more workers only make each other time out.
    maxWorkers: 2,
  },
});
