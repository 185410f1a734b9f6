// @ts-check
/** `npm start`: `main.ts`, and the maker of patches, compiled where a source has changed since the last start. They take a fifth of the time to load then. */
import { keepPrograms } from '../lab/primitives/programs.js';
import { runHere } from '../lab/primitives/run-here.js';

keepPrograms(['start', 'patches']);
await runHere(new URL('main.ts', import.meta.url));
