/**
 * Connectors, actions and rules as the broker has them now: checked as EMQX checks them, kept in memory, and in effect at
 * once. What an action had queued is lost when it or its connector changes.
 */
import * as schema from '../schema.ts';
import { isSettings, type ResourceKind, type Settings } from '../schema.ts';
import { parseSql, SqlError } from '../sql.ts';
import { TemplateError } from '../template.ts';
import { HttpAction, renderer } from './http-action.ts';
import { type Log, RuleEngine } from './rule-engine.ts';

/** The roots of EMQX's configuration that the stand-in executes. */
export interface EngineConfig {
  connectors?: { http?: object };
  actions?: { http?: object };
  rule_engine?: { rules?: object };
}
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'config_invalid';
}
export interface ConfigurationOptions {
  actionHangMs?: number;
  /** Whose defaults hold. */
  version?: StandinVersion;
}
/** The versions whose HTTP API and defaults it can have; rules, actions and delivery are those of 5.8.9 in each. */
export type StandinVersion = '5.8.9' | '5.8.11' | '6.2.2';

export class Configuration {
  readonly connector = new Map<string, Settings>();
  readonly action = new Map<string, Settings>();
  readonly rule = new Map<string, Settings>();
  readonly engine: RuleEngine;
  private readonly hangMs: number | undefined;
  private readonly isLater: boolean;
  constructor(engine: RuleEngine, { actionHangMs, version }: ConfigurationOptions = {}) {
    this.engine = engine;
    this.hangMs = actionHangMs;
    this.isLater = version === '6.2.2';
  }

  /** Adds or replaces. Throws ConfigError and changes nothing when it cannot be used. */
  put(kind: ResourceKind, id: string, given: Settings): Settings {
    const settings = this.checked(kind, id, given);
    this[kind].set(id, settings);
    if (kind === 'rule') this.engine.setRule(id, settings as never);
    if (kind === 'action') this.start(id, settings);
    if (kind === 'connector')
      for (const user of this.usersOf('connector', id)) this.start(user, this.action.get(user)!);
    return settings;
  }

  /** Whether something uses it is for the caller to look at. */
  remove(kind: ResourceKind, id: string): void {
    if (kind === 'action') this.engine.setAction(id, undefined);
    if (kind === 'rule') this.engine.setRule(id, null);
    this[kind].delete(id);
  }

  /** The ids of the actions that use a connector, or of the rules that use an action. */
  usersOf(kind: ResourceKind, id: string): string[] {
    const uses = (settings: Settings) =>
      kind === 'connector'
        ? settings.connector === id
        : kind === 'action' && (settings.actions as string[]).includes(`http:${id}`);
    const users = kind === 'connector' ? this.action : this.rule;
    return [...users].filter(([, settings]) => uses(settings)).map(([name]) => name);
  }

  /** The settings with what holds by default and the secrets that it already has. */
  private checked(kind: ResourceKind, id: string, given: Settings): Settings {
    const fail = (message: string): never => {
      throw new ConfigError(`${kind} ${id}: ${message}`);
    };
    if (!/^[A-Za-z0-9][A-Za-z0-9_-]*$/.test(id)) fail('the name may have letters, digits, _ and - only');
    const problem = schema.problemOf(schema.schema[kind], given);
    if (problem) fail(`${problem.path.join('.')}: ${problem.reason}`);
    const settings = schema.withDefaults(schema.schema[kind], given, this.isLater);
    try {
      if (kind === 'connector') this.checkConnector(id, settings, fail);
      if (kind === 'action')
        renderer(this.connectorOf(settings), settings.parameters as Settings, new URL('http://x'));
      if (kind === 'rule') parseSql(String(settings.sql));
    } catch (error) {
      if (error instanceof SqlError || error instanceof TemplateError) fail(error.message);
      throw error;
    }
    return settings;
  }

  private checkConnector(id: string, settings: Settings, fail: (message: string) => never): void {
    if (!/^https?:\/\/./.test(String(settings.url)) || !URL.canParse(String(settings.url)))
      fail(`Missing scheme in URL: ${settings.url}`);
    if ((settings.ssl as Settings).enable && (settings.ssl as Settings).cacertfile)
      fail('the stand-in does not support ssl.cacertfile');
    if (!isSettings(settings.headers)) return;
    const had = this.connector.get(id)?.headers;
    for (const [name, value] of Object.entries(settings.headers))
      if (schema.isSecret(name) && value === schema.masked && isSettings(had) && had[name] !== undefined)
        settings.headers = { ...settings.headers, [name]: had[name] };
  }

  private start(id: string, settings: Settings): void {
    const connector = this.connectorOf(settings);
    const enabled = settings.enable && connector.enable;
    this.engine.setAction(id, enabled ? new HttpAction(connector, settings, this.hangMs) : null);
  }

  private connectorOf({ connector }: Settings): Settings {
    const settings = this.connector.get(String(connector));
    if (!settings) throw new ConfigError(`connector_not_found_or_wrong_type: ${connector}`);
    return settings;
  }
}

/** Throws ConfigError. Unlike the API, which takes a rule whose action is still to come, a start refuses it. */
export function createConfiguration(
  config: EngineConfig,
  log: Log,
  options?: ConfigurationOptions,
): Configuration {
  const configuration = new Configuration(new RuleEngine(log), options);
  for (const kind of schema.kinds) {
    const [root, type] = schema.roots[kind];
    const entries = (config as Record<string, Record<string, object> | undefined>)[root]?.[type] ?? {};
    for (const [id, settings] of Object.entries(entries)) {
      const { actions } = configuration.put(kind, id, settings as Settings);
      for (const name of kind === 'rule' ? (actions as string[]) : [])
        if (!configuration.action.has(name.replace(/^http:/, '')))
          throw new ConfigError(`rule ${id}: unknown action ${name}`);
    }
  }
  return configuration;
}
