/** For tests: the rule that README.md shows, so that whatever is told there is what is tried. */
import { readFileSync } from 'node:fs';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const shown = /Put a file into `rules\/`, for example `rules\/(\S+\.hocon)`:\n\n((?: {4}.*\n)+)/.exec(readme);
if (!shown) throw new Error('README.md shows no rule');

export const readmeRule = { file: shown[1]!, text: shown[2]!.replaceAll(/^ {4}/gm, '') };
