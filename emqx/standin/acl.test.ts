import { describe, expect, test } from 'vitest';
import { AclError, parseAcl } from './acl.ts';

describe('the first rule that matches decides', () => {
  const acl = parseAcl(`%% a comment with "quotes" and {braces}
    {allow, {clientid, {re, "^a$"}}, subscribe, [{eq, "a % b"}]}.
    {deny, all, publish, [{eq, "x/+"}, {eq, "y"}]}. {allow, all, all, [
      {eq, "x/y"} % a comment in the middle
    ,{eq, "y"}]}.
    {deny, all}.`);
  test.each([
    ['a', 'subscribe', 'a % b', true],
    ['ab', 'subscribe', 'a % b', false],
    ['a', 'publish', 'x/+', false],
    ['a', 'publish', 'y', false],
    ['a', 'subscribe', 'y', true],
    ['a', 'publish', 'x/y', true],
    ['a', 'publish', 'z', false],
  ] as const)('%s may %s %s: %s', (clientid, action, topic, allowed) => {
    expect(acl({ clientid }, action, topic)).toBe(allowed);
  });
});

test.each([
  ['{allow, all}', 1],
  ['{deny, all}.\n\n{allow, all, publish, [{eq, "a"}.', 3],
  ['{deny, all}.\n{allow, all, publish, ["a/#"]}.', 2],
  ['{allow, {ipaddr, "127.0.0.1"}, all, [{eq, "a"}]}.', 1],
  ['{allow, all, {publish, [{qos, 1}]}, [{eq, "a"}]}.', 1],
  ['{perhaps, all}.', 1],
])('%j is refused with its line', (text, line) => {
  expect(() => parseAcl(text)).toThrow(`acl.conf:${line}: the stand-in supports {allow | deny, all |`);
  expect(() => parseAcl(text)).toThrow(AclError);
});
