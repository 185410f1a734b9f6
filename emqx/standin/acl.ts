/**
 * Reads EMQX's acl.conf (Erlang terms) and answers as its file authorizer: the first rule that matches decides, none means
 * deny. Only what does not depend on address or user is supported; the rest is refused by name.
 */
import { topicMatches } from './topic.ts';

export type Action = 'publish' | 'subscribe';
export type Acl = (client: { clientid: string }, action: Action, topic: string) => boolean;
export class AclError extends Error {
  override readonly name = 'AclError';
  readonly code = 'acl_invalid';
}

/** EMQX's placeholder, in topics and in the mountpoint. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is EMQX's, not JavaScript's
export const clientidPlaceholder = '${clientid}';

type Term = string | number | { atom: string } | { tuple: Term[] } | Term[];
interface Rule {
  allow: boolean;
  clientid: RegExp | string | null;
  action: Action | 'all';
  topics: { eq: boolean; filter: string }[] | 'all';
}

/** Throws AclError with the line of what it does not understand. */
export function parseAcl(text: string): Acl {
  const rules = terms(text).map(({ term, line }) => toRule(term, line));
  return (client, action, topic) => {
    for (const rule of rules) {
      if (!isWho(rule.clientid, client.clientid)) continue;
      if (rule.action !== 'all' && rule.action !== action) continue;
      if (rule.topics === 'all' || rule.topics.some((t) => matches(t, topic, client.clientid)))
        return rule.allow;
    }
    return false;
  };
}

function isWho(who: Rule['clientid'], clientid: string): boolean {
  if (who instanceof RegExp) return who.test(clientid);
  return who === null || who === clientid;
}

function matches({ eq, filter }: { eq: boolean; filter: string }, topic: string, clientid: string): boolean {
  const wanted = filter.split(clientidPlaceholder).join(clientid);
  return eq ? wanted === topic : topicMatches(wanted, topic);
}

function toRule(term: Term, line: number): Rule {
  const bad = (what: string) => new AclError(`acl.conf:${line}: ${what}`);
  const atom = (t: Term | undefined) =>
    typeof t === 'object' && !Array.isArray(t) && 'atom' in t ? t.atom : null;
  const parts = typeof term === 'object' && !Array.isArray(term) && 'tuple' in term ? term.tuple : null;
  if (!parts) throw bad('a rule is a tuple that begins with allow or deny');
  const permission = atom(parts[0]);
  if (permission !== 'allow' && permission !== 'deny') throw bad('a rule begins with allow or deny');
  const allow = permission === 'allow';
  if (parts.length === 2 && atom(parts[1]) === 'all')
    return { allow, clientid: null, action: 'all', topics: 'all' };
  const [, who, what, list] = parts;
  if (parts.length !== 4) throw bad('a rule is {allow | deny, who, action, topics}');
  const action = atom(what);
  if (action !== 'publish' && action !== 'subscribe' && action !== 'all')
    throw bad('action is publish, subscribe or all; QoS and retain conditions are not supported here');
  let clientid: Rule['clientid'] = null;
  if (atom(who) !== 'all') {
    const [kind, name] = tupleOf(who);
    const [re, pattern] = tupleOf(name);
    if (['client', 'clientid'].includes(atom(kind) ?? '')) {
      if (typeof name === 'string') clientid = name;
      else if (atom(re) === 're' && typeof pattern === 'string') clientid = new RegExp(pattern);
    }
    if (clientid === null)
      throw bad('who is all, {clientid, "..."} or {clientid, {re, "..."}}; the rest is not supported here');
  }
  if (atom(list) === 'all') return { allow, clientid, action, topics: 'all' };
  if (!Array.isArray(list)) throw bad('topics is a list');
  const topics = list.map((item) => {
    if (typeof item === 'string') return { eq: false, filter: item };
    const [eq, filter] = tupleOf(item);
    if (atom(eq) !== 'eq' || typeof filter !== 'string') throw bad('a topic is "filter" or {eq, "topic"}');
    return { eq: true, filter };
  });
  return { allow, clientid, action, topics };
}

function tupleOf(term: Term | undefined): Term[] {
  return typeof term === 'object' && !Array.isArray(term) && 'tuple' in term ? term.tuple : [];
}

/** Erlang terms as JSON: tuples and atoms become objects that say so. */
function terms(text: string): { term: Term; line: number }[] {
  const token =
    /\s+|%[^\n]*|("(?:[^"\\\n]|\\["\\])*"|-?\d+|[[\],])|([{}])|([a-z][A-Za-z0-9_@]*)|(\.(?=\s|$))|(.)/g;
  const all: { term: Term; line: number }[] = [];
  let [json, line, start] = ['', 1, 1];
  const fail = (what: string) => new AclError(`acl.conf:${line}: ${what}`);
  for (const [whole, same, brace, atom, dot, other] of text.matchAll(token)) {
    if (other) throw fail(`unexpected ${JSON.stringify(other)}`);
    if (json === '') start = line;
    json += same ?? (brace ? (brace === '{' ? '{"tuple":[' : ']}') : atom ? `{"atom":"${atom}"}` : '');
    line += whole.split('\n').length - 1;
    if (!dot) continue;
    try {
      all.push({ term: JSON.parse(json), line: start });
    } catch {
      throw fail(`the rule that begins in line ${start} is not a term`);
    }
    json = '';
  }
  if (json !== '') throw fail(`the rule that begins in line ${start} has no "." at its end`);
  return all;
}
