/** `PUT /configs`: connectors, actions and rules as HOCON. */
import { HoconError, parseHocon, toPlain } from '../hocon.ts';
import { isSettings, kinds, type ResourceKind, roots, type Settings } from '../schema.ts';
import { badRequest, type Reply } from './api-route.ts';
import { ConfigError, type Configuration } from './configuration.ts';

type Entry = [kind: ResourceKind, id: string, settings: Settings];
const refuse = (errors: unknown): Reply => ({ status: 400, body: { errors } });
const broken = (message: string): Reply => ({ status: 500, body: { code: 'INTERNAL_ERROR', message } });

/** All of it is checked before any of it is taken over. */
export function putConfigs(config: Configuration, mode: string, body: unknown): Reply {
  if (mode !== 'merge' && mode !== 'replace') return badRequest({ path: 'mode', value: mode });
  if (typeof body !== 'string' || body.trim() === '') return broken('function_clause');
  let given: Settings;
  try {
    given = toPlain(parseHocon(body)) as Settings;
  } catch (error) {
    if (!(error instanceof HoconError)) throw error;
    return refuse({ line: error.line, reason: error.message, type: 'parse_error' });
  }
  const known = kinds.map((kind) => roots[kind].join('.'));
  for (const [root, below] of Object.entries(given))
    for (const type of isSettings(below) ? Object.keys(below) : [''])
      if (!known.includes(`${root}.${type}`))
        return refuse({ [root]: `root_key_not_found, or not supported by the stand-in: ${root}.${type}` });
  const wanted = kinds.flatMap((kind) => entriesOf(kind, given, mode === 'merge' ? config : null));
  const gone = kinds.flatMap((kind) =>
    mode === 'replace' && roots[kind][0] in given
      ? [...config[kind].keys()]
          .filter((id) => !wanted.some(([k, name]) => k === kind && name === id))
          .map((id) => [kind, id] as const)
      : [],
  );
  for (const entry of wanted) {
    const problem = problemOf(config, entry, wanted);
    if (problem) return problem;
  }
  for (const entry of wanted) config.put(...entry);
  for (const [kind, id] of gone.reverse())
    if (kind === 'rule' || config.usersOf(kind, id).length === 0) config.remove(kind, id);
  return { status: 200 };
}

function entriesOf(kind: ResourceKind, given: Settings, under: Configuration | null): Entry[] {
  const [root, type] = roots[kind];
  return Object.entries(((given[root] ?? {}) as Settings)[type] ?? {}).map(([id, settings]) => [
    kind,
    id,
    merged(under?.[kind].get(id)?.settings, settings),
  ]);
}

function problemOf(config: Configuration, [kind, id, settings]: Entry, all: Entry[]): Reply | null {
  const path = [...roots[kind], id];
  try {
    config.checked(kind, id, settings);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    if (error.unknownField) return broken(error.message);
    const at = [...path, ...error.path].join('.');
    return refuse({ [path[0]!]: { kind: 'validation_error', path: at, reason: error.message } });
  }
  const name = String(settings.connector);
  const connected =
    config.connector.has(name) || all.some(([k, other]) => k === 'connector' && other === name);
  return kind === 'action' && !connected
    ? refuse(`${path.join('.')}: connector_not_found_or_wrong_type ${name}`)
    : null;
}

function merged(under: Settings | undefined, over: Settings): Settings {
  const whole: Settings = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const old = whole[key];
    whole[key] = isSettings(old) && isSettings(value) ? merged(old, value) : value;
  }
  return whole;
}
