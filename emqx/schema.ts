/**
 * The settings of EMQX 5.8 that the rule files use: what each may be and what holds without it. The stand-in checks and
 * fills with it what it is given, the tools what they read from files, and both see by it that `2m` and `120s` are equal.
 */
import type { HoconValue } from './hocon.ts';
import { toBytes, toMilliseconds } from './units.ts';

export type Settings = { [key: string]: HoconValue };
type Kind = 'text' | 'sql' | 'texts' | 'duration' | 'bytes' | 'count' | 'flag' | 'map' | readonly string[];
interface Field {
  is: Kind;
  /** What 5.8 has where nobody says anything. */
  otherwise?: HoconValue;
  /** What 6.2 has then, where that is something else. */
  later?: HoconValue;
  required?: true;
}
export interface Fields {
  [name: string]: Field | { fields: Fields };
}
export interface Problem {
  path: string[];
  reason: string;
  /** A field that nobody knows, rather than a bad value. */
  unknown?: true;
}
export type ResourceKind = (typeof kinds)[number];

const text: Field = { is: 'text', otherwise: '' };
const flag = (otherwise: boolean): Field => ({ is: 'flag', otherwise });
const duration = (otherwise?: string): Field => ({ is: 'duration', otherwise });
const count = (otherwise: number): Field => ({ is: 'count', otherwise });
const optional = { is: 'text' } as const;

const connector: Fields = {
  enable: flag(true),
  description: text,
  tags: { is: 'texts' },
  url: { is: 'text', required: true },
  headers: { is: 'map' },
  connect_timeout: duration('15s'),
  max_inactive: { is: 'duration', later: '10s' },
  pool_type: { is: ['random', 'hash'], otherwise: 'random' },
  pool_size: count(8),
  enable_pipelining: count(100),
  resource_opts: {
    fields: {
      health_check_interval: duration('15s'),
      start_after_created: flag(true),
      start_timeout: duration('5s'),
    },
  },
  ssl: {
    fields: {
      enable: flag(false),
      verify: { is: ['verify_none', 'verify_peer'], otherwise: 'verify_none' },
      cacertfile: optional,
      certfile: optional,
      keyfile: optional,
      server_name_indication: optional,
      ciphers: { is: 'texts', otherwise: [] },
      depth: count(10),
      hibernate_after: duration('5s'),
      log_level: { is: 'text', otherwise: 'notice' },
      reuse_sessions: { ...flag(true), later: false },
      secure_renegotiate: flag(true),
      versions: { is: 'texts', otherwise: ['tlsv1.3', 'tlsv1.2'] },
    },
  },
};

const action: Fields = {
  enable: flag(true),
  description: text,
  tags: { is: 'texts' },
  connector: { is: 'text', required: true },
  parameters: {
    fields: {
      method: { is: ['post', 'put', 'get', 'delete'], otherwise: 'post' },
      path: optional,
      headers: { is: 'map' },
      body: optional,
      max_retries: count(2),
    },
  },
  resource_opts: {
    fields: {
      worker_pool_size: count(16),
      health_check_interval: duration('15s'),
      resume_interval: duration(),
      request_ttl: duration('45s'),
      inflight_window: count(100),
      max_buffer_bytes: { is: 'bytes', otherwise: '256MB' },
      query_mode: { is: ['async', 'sync'], otherwise: 'async' },
    },
  },
};

const rule: Fields = {
  enable: flag(true),
  name: text,
  description: text,
  sql: { is: 'sql', required: true },
  actions: { is: 'texts', otherwise: [] },
};

export const schema: Record<ResourceKind, Fields> = { connector, action, rule };

/** In the order in which one needs the other. */
export const kinds = ['connector', 'action', 'rule'] as const;
/** Where the configuration has them. */
export const roots: Record<ResourceKind, readonly [string, string]> = {
  connector: ['connectors', 'http'],
  action: ['actions', 'http'],
  rule: ['rule_engine', 'rules'],
};

/** What the broker adds by itself; nobody sets it. */
const bookkeeping = new Set(['created_at', 'last_modified_at', 'metadata']);

export function problemOf(fields: Fields, settings: Settings, path: string[] = []): Problem | null {
  for (const [name, value] of Object.entries(settings)) {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!field) {
      if (bookkeeping.has(name)) continue;
      return { path: [...path, name], reason: `unknown setting "${name}"`, unknown: true };
    }
    if ('fields' in field) {
      if (!isSettings(value)) return { path: [...path, name], reason: 'needs an object' };
      const inner = problemOf(field.fields, value, [...path, name]);
      if (inner) return inner;
    } else if (!fits(field.is, value)) {
      const wanted = typeof field.is === 'string' ? field.is : `one of ${field.is.join(', ')}`;
      return { path: [...path, name], reason: `${JSON.stringify(value)} is not ${article(wanted)}` };
    }
  }
  for (const [name, field] of Object.entries(fields))
    if ('is' in field && field.required && settings[name] === undefined)
      return { path: [...path, name], reason: `"${name}" is missing` };
  return null;
}

/** With everything that holds by default, without the broker's own bookkeeping. */
export function withDefaults(fields: Fields, settings: Settings, isLater = false): Settings {
  const full: Settings = {};
  for (const [name, field] of Object.entries(fields)) {
    const value = settings[name];
    if ('fields' in field) full[name] = withDefaults(field.fields, isSettings(value) ? value : {}, isLater);
    else {
      const held = value ?? (isLater ? field.later : undefined) ?? field.otherwise;
      if (held !== undefined) full[name] = held;
    }
  }
  return full;
}

/** Whether a version of EMQX has that where nobody says anything. */
export function isDefault(fields: Fields, [name, ...rest]: string[], value: HoconValue): boolean {
  const field = fields[name!];
  if (field && 'fields' in field) return isDefault(field.fields, rest, value);
  const isThat = (held: HoconValue | undefined) =>
    held !== undefined && meansSame(fields, [name!], value, held);
  return isThat(field?.otherwise) || isThat(field?.later);
}

/** Whether two values of a setting mean the same. */
export function meansSame(fields: Fields, path: string[], a: HoconValue, b: HoconValue): boolean {
  const [name, ...rest] = path;
  const field = fields[name!];
  if (field && 'fields' in field) return meansSame(field.fields, rest, a, b);
  if (field?.is === 'sql') return String(a).trim() === String(b).trim();
  try {
    if (field?.is === 'duration') return toMilliseconds(a, 0) === toMilliseconds(b, 0);
    if (field?.is === 'bytes') return toBytes(a, 0) === toBytes(b, 0);
  } catch {
    return a === b;
  }
  return JSON.stringify(a) === JSON.stringify(b);
}

/** EMQX shows a secret as this, and takes it as "what you have". */
export const masked = '******';

export function isSecret(header: string): boolean {
  return ['authorization', 'proxy-authorization'].includes(header.toLowerCase());
}

export function isSettings(value: unknown): value is Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fits(kind: Kind, value: HoconValue): boolean {
  if (typeof kind !== 'string') return kind.includes(String(value));
  try {
    if (kind === 'duration') return toMilliseconds(value, 0) >= 0;
    if (kind === 'bytes') return toBytes(value, 0) >= 0;
  } catch {
    return false;
  }
  if (kind === 'count') return Number.isInteger(value) && Number(value) >= 0;
  if (kind === 'flag') return typeof value === 'boolean';
  if (kind === 'map') return isSettings(value);
  if (kind === 'texts') return Array.isArray(value) && value.every((item) => typeof item === 'string');
  return typeof value === 'string';
}

function article(kind: string): string {
  if (kind.startsWith('one of')) return kind;
  return (
    { texts: 'a list of texts', map: 'an object', bytes: 'a size', flag: 'true or false', sql: 'a text' }[
      kind
    ] ?? `a ${kind}`
  );
}
