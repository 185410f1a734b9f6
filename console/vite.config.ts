import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import solid from 'vite-plugin-solid';

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  plugins: [solid()],
  // Measuring compressed sizes costs a large part of a build that runs at every start of the system.
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    reportCompressedSize: false,
    // What many pages share comes with the first one, in one file instead of twenty.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: 'base', minShareCount: 6 }] } } },
  },
  server: { host: '127.0.0.1', proxy: { '/api': 'http://127.0.0.1:8080' } },
});
