import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import solid from 'vite-plugin-solid';
import { writeBeginnings } from './write-beginnings.ts';
import { writeCompressed } from './write-compressed.ts';

const isLight = (file: string) =>
  !/uplot|solid-sonner|pages\/devices\/chart|firmware\/(image|intel-hex|forecast)|console\/upload/.test(file);

export default defineConfig(({ mode }) => ({
  root: fileURLToPath(new URL('.', import.meta.url)),
  // A browser on the same machine has nothing of it, and each `npm start` after a change would take a second longer.
  plugins: [solid(), writeBeginnings(), mode !== 'lab' && writeCompressed()],
  // Measuring compressed sizes costs a large part of a build that runs at every start of the system.
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2023',
    reportCompressedSize: false,
    // What pages share comes with the first one, in one file instead of forty (as all styles do): browsers open six connections, and a
    // seventh file waits. But what only some pages want is too heavy for that.
    cssCodeSplit: false,
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: 'base', minShareCount: 2, test: isLight }] } },
    },
  },
  server: { host: '127.0.0.1', proxy: { '/api': 'http://127.0.0.1:8080' } },
}));
