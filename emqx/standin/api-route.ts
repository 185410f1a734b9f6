/** What the parts of the HTTP API share: what they are given, how a route is named, and the answers that look alike. */
import type { Bans } from './bans.ts';
import type { Configuration } from './configuration.ts';
import type { ApiMessage } from './publish-request.ts';
import type { RuleEngine } from './rule-engine.ts';
import type { Sessions } from './sessions.ts';

/** The versions whose HTTP API it can speak; rules, actions and delivery are those of 5.8.9 in each. */
export type StandinVersion = '5.8.9' | '5.8.11' | '6.2.2';

export interface ApiParts {
  key: string;
  secret: string;
  version: StandinVersion;
  /** Of `admin`. */
  dashboardPassword: string;
  sessions: Sessions;
  engine: RuleEngine;
  configuration: Configuration;
  bans: Bans;
  /** Messages that wait for an offline session. */
  queued(clientid: string): number;
  /** False when nobody is subscribed. */
  publish(message: ApiMessage): Promise<boolean>;
  /** False when there is no such client. */
  kick(clientid: string): Promise<boolean>;
}
export interface Reply {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
}
export interface Call {
  params: string[];
  query: URLSearchParams;
  /** What the JSON says, or the text where text is taken. */
  body: unknown;
}
/** `GET /clients/:id` and what answers it. */
export type Route = [pattern: string, handler: (call: Call) => Reply | Promise<Reply>];

export function badRequest(message: unknown, code = 'BAD_REQUEST'): Reply {
  return {
    status: 400,
    body: { code, message: typeof message === 'string' ? message : JSON.stringify(message) },
  };
}
export function notFound(message: string, code = 'NOT_FOUND'): Reply {
  return { status: 404, body: { code, message } };
}

/** One page of a list, or why the page cannot be had. */
export function pageOf<T>(query: URLSearchParams, all: T[], meta: object = {}): Reply {
  const page = Number(query.get('page') ?? 1);
  const limit = Number(query.get('limit') ?? 100);
  if (!Number.isInteger(page) || page < 1) return badRequest({ kind: 'validation_error', path: 'page' });
  if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
    return badRequest({ kind: 'validation_error', path: 'limit', reason: { expected: '1..10000' } });
  const data = all.slice((page - 1) * limit, page * limit);
  return { status: 200, body: { data, meta: { hasnext: all.length > page * limit, limit, page, ...meta } } };
}
