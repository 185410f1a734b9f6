import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { deviceErrorCodes } from '#emqx/protocol.ts';

test("the agent's failure codes are those of the protocol, each with its name at its place", () => {
  const source = readFileSync(new URL('ota_failure.h', import.meta.url), 'utf8');
  const rows = [...source.matchAll(/^ {2}X\((\w+), "(\w+)"\)/gm)];
  expect(rows.map(([, , name]) => name)).toEqual(['none', ...deviceErrorCodes]);
  expect(rows.map(([, code]) => code)).toEqual(rows.map(([, , name]) => name!.toUpperCase()));
});
