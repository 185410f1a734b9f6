// @ts-check
/** Apart from `programs.js`, which is a part of the programs that it makes: tsx cannot be compiled into them. */
import { fileURLToPath, pathToFileURL } from 'node:url';
import { findProgram } from './programs.js';

/**
 * Runs a module of ours in this process: what is kept of it, or else, or where nothing can be kept, the sources as they are.
 * @param {URL} module
 */
export async function runHere(module) {
  const path = fileURLToPath(module);
  const kept = findProgram(path);
  if (!kept) (await import('tsx/esm/api')).register();
  await import(pathToFileURL(kept ?? path).href);
}
