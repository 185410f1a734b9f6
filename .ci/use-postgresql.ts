/** In the project `postgresql` the same tests run on the server that `postgresql.ts` started. */
const url = process.env.FLOTA_TEST_POSTGRESQL;
if (!url) throw new Error('no PostgreSQL was started for the tests');
process.env.TEST_DATABASE_URL = url;
