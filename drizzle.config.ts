import { defineConfig } from 'drizzle-kit';

export default defineConfig({
  dialect: 'postgresql',
  schema: './webhook/db/schema.ts',
  out: './webhook/db/migrations',
});
