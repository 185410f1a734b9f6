/**
 * Reads the part of EMQX's acl.conf (Erlang terms) that Flota's uses, and returns what its file authorizer does: the first rule that
 * matches decides, none means deny.
 */

export type Action = 'publish' | 'subscribe';
export type Acl = (client: { clientid: string }, action: Action, topic: string) => boolean;
export class AclError extends Error {
  override readonly name = 'AclError';
  readonly code = 'acl_invalid';
}

/** EMQX's placeholder in the mountpoint. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
export const clientidPlaceholder = '${clientid}';

const supported =
  'the stand-in supports {allow | deny, all | {clientid, {re, "..."}}, publish | subscribe | all, [{eq, "topic"}]} and {allow | deny, all}';
const topic = '\\{eq,"([^"]*)"\\}';
const rule = new RegExp(
  `\\{(allow|deny),(?:all|\\{clientid,\\{re,"([^"]*)"\\}\\})(?:,(publish|subscribe|all),\\[(${topic}(?:,${topic})*)\\])?\\}\\.`,
  'y',
);

/** Throws AclError with the line of the rule that it does not understand. */
export function parseAcl(text: string): Acl {
  // Without comments and white space, except in quotes; line ends are counted on the way.
  const [pieces, lines] = [[] as string[], [] as number[]];
  let line = 1;
  for (const [piece] of text.matchAll(/"[^"\n]*"|%[^\n]*|\s+|./gs)) {
    if (!/^(%|\s)/.test(piece)) {
      pieces.push(piece);
      for (const _ of piece) lines.push(line);
    }
    line += piece.split('\n').length - 1;
  }
  const terms = pieces.join('');
  const rules: { allow: boolean; client: RegExp; action: string; topics: Set<string> | null }[] = [];
  for (let at = 0; at < terms.length; at = rule.lastIndex) {
    rule.lastIndex = at;
    const [whole, permission, pattern = '', action = 'all', topics] = rule.exec(terms) ?? [];
    if (!whole) throw new AclError(`acl.conf:${lines[at]}: ${supported}`);
    const named = topics === undefined ? null : topics.matchAll(new RegExp(topic, 'g'));
    rules.push({
      ...{ allow: permission === 'allow', client: new RegExp(pattern), action },
      topics: named && new Set([...named].map(([, name]) => name!)),
    });
  }
  return ({ clientid }, action, topic) => {
    const decides = rules.find(
      (one) =>
        one.client.test(clientid) &&
        (one.action === 'all' || one.action === action) &&
        (one.topics === null || one.topics.has(topic)),
    );
    return decides?.allow ?? false;
  };
}
