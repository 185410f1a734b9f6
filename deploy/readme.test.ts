/** README.ko.md says what README.md says: the same structure, the same commands and variables, the same drawings. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const english = read('README.md');
const korean = read('README.ko.md');

/** Depth of each heading, how many list items, table rows and drawings follow it, and whether there is prose. */
function outline(text: string): string[] {
  return text.split(/^(?=#)/m).flatMap((section) => {
    const depth = /^#+/.exec(section)?.[0];
    if (!depth) return [];
    const count = (pattern: RegExp) => (section.match(pattern) ?? []).length;
    return `${depth} ${count(/^- /gm)} items, ${count(/^\|/gm)} rows, ${count(/^ {4}\S/gm)} lines of code, ${count(/^!\[/gm)} pictures`;
  });
}

/** What must not be translated: code in the text, commands, addresses of pictures and links. */
function verbatim(text: string): string[] {
  const inline = text.replace(/^ {4}.*$/gm, '').match(/`[^`\n]+`/g) ?? [];
  const commands = text.match(/^ {4}npm \S.*?(?= {2}|$)/gm) ?? [];
  const pictures = text.match(/\]\((?!README)[^)]+\)/g) ?? [];
  return [...inline, ...commands, ...pictures];
}

/** A drawing is one of boxes and names; it has no sentence. */
function drawings(text: string): string[] {
  return (text.match(/^ {4}.*[─►◄│].*$/gm) ?? []).map((line) => line.trimEnd());
}

test('the Korean README has the headings, lists and tables of the English one', () => {
  expect(outline(korean)).toEqual(outline(english));
});

test('both name the same commands, variables, files and pictures', () => {
  expect(verbatim(korean).sort()).toEqual(verbatim(english).sort());
  expect(drawings(korean)).toEqual(drawings(english));
});

test('every command of the README is one that there is, and so is every file', () => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  for (const [, script] of english.matchAll(/npm run ([a-z:]+)/g)) expect(scripts).toHaveProperty([script!]);
  for (const [, path] of english.matchAll(/`([a-z]+\/[\w./-]+\.(?:md|ts))`/g))
    expect(existsSync(new URL(`../${path}`, import.meta.url)), path).toBe(true);
});

test('it is Korean throughout: no sentence was left in English', () => {
  const prose = korean
    .replace(/^ {4}.*$/gm, '')
    .replace(/`[^`]+`/g, '')
    .split('\n')
    .filter((line) => /[A-Za-z]{3,}\s+[a-z]{2,}\s+[a-z]{2,}/.test(line));
  expect(prose).toEqual([]);
});

test('every test that THREATS.md names is there', () => {
  const named = [...read('THREATS.md').matchAll(/`([a-z]+\/[\w./-]+\.test\.ts)`/g)].map(([, path]) => path!);
  expect(named.length).toBeGreaterThan(20);
  for (const path of named) expect(existsSync(new URL(`../${path}`, import.meta.url)), path).toBe(true);
});

test('so is everything that the page about threats to a device names', () => {
  const named = [...read('firmware/THREATS.md').matchAll(/`([a-z][\w./-]+\.(?:ts|c|md))`/g)].map(
    ([, path]) => path!,
  );
  expect(named.length).toBeGreaterThan(10);
  const there = (path: string) =>
    ['', 'firmware/'].some((at) => existsSync(new URL(`../${at}${path}`, import.meta.url)));
  expect(named.filter((path) => !there(path))).toEqual([]);
});
