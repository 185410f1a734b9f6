/**
 * Connectors, actions and rules as the broker has them now: checked as EMQX checks them, kept in memory, and in effect at
 * once. What an action had queued is lost when it or its connector changes.
 */
import {
  isSecret,
  isSettings,
  kinds,
  masked,
  problemOf,
  type ResourceKind,
  roots,
  type Settings,
  schema,
  withDefaults,
} from '../schema.ts';
import { HttpAction } from './http-action.ts';
import { type Log, RuleEngine } from './rule-engine.ts';
import { SqlError } from './sql/lexer.ts';
import { parseSql } from './sql/parser.ts';

/** The roots of EMQX's configuration that the stand-in executes. */
export interface EngineConfig {
  connectors?: { http?: object };
  actions?: { http?: object };
  rule_engine?: { rules?: object };
}
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'config_invalid';
  /** Of the setting, below its connector, action or rule. */
  readonly path: string[];
  readonly unknownField: boolean;
  constructor(message: string, path: string[] = [], unknownField = false) {
    super(message);
    this.path = path;
    this.unknownField = unknownField;
  }
}
export interface Entry {
  settings: Settings;
  createdAt: number;
  modifiedAt: number;
}

export class Configuration {
  readonly connector = new Map<string, Entry>();
  readonly action = new Map<string, Entry>();
  readonly rule = new Map<string, Entry>();
  private readonly engine: RuleEngine;
  private readonly hangMs: number | undefined;
  constructor(engine: RuleEngine, hangMs?: number) {
    this.engine = engine;
    this.hangMs = hangMs;
  }

  /** Adds or replaces. Throws ConfigError and changes nothing when it cannot be used. */
  put(kind: ResourceKind, id: string, given: Settings): Entry {
    const settings = this.checked(kind, id, given);
    if (kind === 'action') this.connectorOf(settings);
    const now = Date.now();
    const entry = { settings, createdAt: this[kind].get(id)?.createdAt ?? now, modifiedAt: now };
    this[kind].set(id, entry);
    this.start(kind, id, settings);
    return entry;
  }

  /** The settings with what holds by default and the secrets that it already has; throws ConfigError. */
  checked(kind: ResourceKind, id: string, given: Settings): Settings {
    const fail = (message: string, path: string[] = [], unknown?: boolean): never => {
      throw new ConfigError(`${kind} ${id}: ${message}`, path, unknown);
    };
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(id)) fail('the name may have letters, digits, _ and - only');
    const problem = problemOf(schema[kind], given);
    if (problem) fail(problem.reason, problem.path, problem.unknown);
    const settings = withDefaults(schema[kind], given);
    if (kind === 'connector') {
      if (!/^https?:\/\/./.test(String(settings.url)) || !URL.canParse(String(settings.url)))
        fail(`Missing scheme in URL: ${settings.url}`, ['url']);
      if ((settings.ssl as Settings).enable && (settings.ssl as Settings).cacertfile)
        fail('the stand-in does not support ssl.cacertfile', ['ssl', 'cacertfile']);
      unmask(settings, this.connector.get(id)?.settings);
    }
    if (kind === 'rule') checkSql(String(settings.sql), fail);
    return settings;
  }

  remove(kind: ResourceKind, id: string): boolean {
    if (!this[kind].delete(id)) return false;
    if (kind === 'action') this.engine.removeAction(id);
    if (kind === 'rule') this.engine.removeRule(id);
    return true;
  }

  /** The ids of the actions that use a connector, or of the rules that use an action. */
  usersOf(kind: 'connector' | 'action', id: string): string[] {
    const [users, uses] =
      kind === 'connector'
        ? [this.action, (settings: Settings) => settings.connector === id]
        : [this.rule, ({ actions }: Settings) => (actions as string[]).includes(`http:${id}`)];
    return [...users].filter(([, { settings }]) => uses(settings)).map(([name]) => name);
  }

  private start(kind: ResourceKind, id: string, settings: Settings): void {
    if (kind === 'rule') this.engine.putRule(id, settings as never);
    if (kind === 'connector')
      for (const user of this.usersOf('connector', id))
        this.start('action', user, this.action.get(user)!.settings);
    if (kind !== 'action') return;
    const connector = this.connectorOf(settings);
    const running = settings.enable && connector.enable;
    this.engine.putAction(id, running ? new HttpAction(connector, settings, this.hangMs) : null);
  }

  private connectorOf(settings: Settings): Settings {
    const entry = this.connector.get(String(settings.connector));
    if (!entry)
      throw new ConfigError(`connector_not_found_or_wrong_type: ${settings.connector}`, ['connector']);
    return entry.settings;
  }
}

/**
 * The engine that runs a configuration. Throws ConfigError. Unlike the API, which takes a rule whose action is still to
 * come, a start refuses it.
 */
export function createEngine(config: EngineConfig, log: Log, hangMs?: number) {
  const engine = new RuleEngine(log);
  const configuration = new Configuration(engine, hangMs);
  for (const kind of kinds) {
    const [root, type] = roots[kind];
    const entries = (config as Record<string, Record<string, object> | undefined>)[root]?.[type] ?? {};
    for (const [id, settings] of Object.entries(entries)) {
      configuration.put(kind, id, settings as Settings);
      for (const name of kind === 'rule' ? ((settings as Settings).actions as string[]) : [])
        if (!configuration.action.has(name.replace(/^http:/, '')))
          throw new ConfigError(`rule ${id}: unknown action ${name}`);
    }
  }
  return { engine, configuration };
}

function checkSql(sql: string, fail: (message: string, path: string[]) => never): void {
  try {
    parseSql(sql);
  } catch (error) {
    if (error instanceof SqlError) fail(error.message, ['sql']);
    throw error;
  }
}

function unmask(settings: Settings, old: Settings | undefined): void {
  if (!isSettings(settings.headers)) return;
  const had = isSettings(old?.headers) ? old.headers : {};
  settings.headers = Object.fromEntries(
    Object.entries(settings.headers).map(([name, value]) => [
      name,
      isSecret(name) && value === masked && had[name] !== undefined ? had[name] : value,
    ]),
  );
}
