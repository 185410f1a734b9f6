import { describe, expect, test } from 'vitest';
import { AclError, parseAcl } from './acl.ts';

describe('the first rule that matches decides', () => {
  const acl = parseAcl(`%% a comment with "quotes" and {braces}
    {allow, {clientid, "a"}, subscribe, ["\${clientid}/#"]}.
    {deny, all, publish, [{eq, "x/+"}, "say \\"x\\""]}. {allow, all, publish, all}.
    {deny, all}.`);
  test.each([
    ['a', 'subscribe', 'a/b', true],
    ['b', 'subscribe', 'b/b', false],
    ['a', 'publish', 'x/+', false],
    ['a', 'publish', 'x/y', true],
    ['a', 'publish', 'say "x"', false],
  ] as const)('%s may %s %s: %s', (clientid, action, topic, allowed) => {
    expect(acl({ clientid }, action, topic)).toBe(allowed);
  });
});

test.each([
  ['{allow, all}', /acl\.conf:1: .*no "\."/],
  ['{deny, all}.\n\n{allow, all, publish, ["a"}.', /acl\.conf:3: .*line 3/],
  ['{deny, all}.\n{allow, all, publish, [a b]}.', /acl\.conf:2: /],
  ['{allow, {ipaddr, "127.0.0.1"}, all, ["#"]}.', /acl\.conf:1: who is all, /],
  ['{allow, all, {publish, [{qos, 1}]}, ["#"]}.', /QoS and retain conditions are not supported/],
  ['{perhaps, all}.', /begins with allow or deny/],
  ['{allow; all}.', /acl\.conf:1: unexpected ";"/],
])('%j is refused with its line', (text, message) => {
  expect(() => parseAcl(text)).toThrow(message);
  expect(() => parseAcl(text)).toThrow(AclError);
});
