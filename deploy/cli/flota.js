#!/usr/bin/env node
// `npx flota` in a checkout: compiled where that is of the sources as they are, else the sources. The packed one (`npm run build`) is one file.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findProgram } from '../lab/primitives/programs.js';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
const kept = findProgram(main);
if (!kept) (await import('tsx/esm/api')).register();
await import(pathToFileURL(kept ?? main).href);
