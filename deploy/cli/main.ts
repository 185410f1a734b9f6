#!/usr/bin/env node
/** `flota`: Flota from a terminal and from CI. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { run } from './run.ts';

process.exitCode = await run(process.argv.slice(2), process);
