import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { deviceErrorCodes } from '#emqx/protocol.ts';

const source = (file: string) => readFileSync(new URL(file, import.meta.url), 'utf8');

test("the agent's failure codes are those of the protocol, each with its name at its place", () => {
  const constants = [...source('ota_failure.h').matchAll(/^ {2}OTA_FAILURE_(\w+)(?: = 0)?,$/gm)].map(
    (m) => m[1]!,
  );
  const [, table] = /names\[OTA_FAILURE_CODES\] = \{([^}]*)\}/.exec(source('ota_failure.c'))!;
  const names = [...table!.matchAll(/"(\w+)"/g)].map((m) => m[1]!);
  expect(names).toEqual(['none', ...deviceErrorCodes]);
  expect(constants).toEqual([...names.map((name) => name.toUpperCase()), 'CODES']);
});
