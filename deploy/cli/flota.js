#!/usr/bin/env node
// `npx flota` in a checkout: compiled where that is of the sources as they are, else the sources. The packed one (`npm run build`) is one file.
import { runHere } from '../lab/primitives/run-here.js';

await runHere(new URL('main.ts', import.meta.url));
