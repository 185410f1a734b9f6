// The short run's tests with the whole number of rounds, which they read when they are loaded.
process.env.FLOTA_TEST_FULL = '1';
await import('./mutation.test.ts');
