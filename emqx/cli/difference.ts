/** What differs between the files and the broker, value by value. */
import type { HoconValue } from '../hocon.ts';
import { type BrokerConfig, readRules, type Source, webhookConnector } from '../rules.ts';
import {
  isDefault,
  isSecret,
  isSettings,
  kinds,
  masked,
  meansSame,
  type ResourceKind,
  schema,
  type Settings as Values,
  withDefaults,
} from '../schema.ts';
import { type Live, marker } from './live.ts';
import { CliError } from './output.ts';
import type { Settings } from './settings.ts';

export interface Difference {
  path: string[];
  /** undefined: not there. */
  file: HoconValue | undefined;
  broker: HoconValue | undefined;
}
export interface Change {
  kind: ResourceKind;
  id: string;
  /** foreign: only on the broker, and not made by `apply`. */
  does: 'create' | 'update' | 'remove' | 'foreign';
  /** What the broker is to have. */
  wanted: Values | null;
  source: Source | null;
  live: Live | null;
  differences: Difference[];
}
export interface Comparison {
  /** In the order in which they are to be done. */
  changes: Change[];
  unchanged: Change[];
  files: ReturnType<typeof readRules>;
  live: Live[];
}

export function compare(
  dir: string | undefined,
  live: Live[],
  { webhook }: Pick<Settings, 'webhook'>,
): Comparison {
  const files = readRules(dir);
  const changes: Change[] = [];
  const unchanged: Change[] = [];
  for (const kind of kinds) {
    const there = new Map(live.filter((one) => one.kind === kind).map((one) => [one.id, one]));
    for (const source of files.sources.filter((one) => one.kind === kind)) {
      const { id } = source;
      const old = there.get(id) ?? null;
      there.delete(id);
      const wanted = forDeployment(source, old, webhook);
      const differences = old ? differ(kind, wanted, old.settings) : [];
      const change: Change = {
        kind,
        id,
        does: old ? 'update' : 'create',
        wanted,
        source,
        live: old,
        differences,
      };
      (!old || differences.length > 0 ? changes : unchanged).push(change);
    }
    for (const [id, old] of there)
      changes.push({
        kind,
        id,
        does: old.ours ? 'remove' : 'foreign',
        wanted: null,
        source: null,
        live: old,
        differences: [],
      });
  }
  const gone = changes.filter(({ does }) => does === 'remove').reverse();
  return {
    changes: [...changes.filter((change) => !gone.includes(change)), ...gone],
    unchanged,
    files,
    live,
  };
}

/** The address and the token of the webhook are the deployment's; without them what the broker has stays. */
function forDeployment(
  { kind, id, settings }: Source,
  old: Live | null,
  webhook: Settings['webhook'],
): Values {
  if (kind !== 'connector' || id !== webhookConnector) return settings;
  const url = webhook.url ?? old?.settings.url ?? settings.url!;
  const authorization = webhook.token ? `Bearer ${webhook.token}` : masked;
  return { ...settings, url, headers: { ...(settings.headers as Values), authorization } };
}

/** What is sent for a change; `apply` leaves its mark on what it makes and does not claim what others made. */
export function toRequest({ kind, id, wanted, live }: Change, { webhook, local }: Settings): Values {
  const description = String(wanted!.description ?? '');
  const request: Values = { ...wanted };
  if (!live || live.ours) request.description = `${description} ${marker(id)}`.trim();
  if (kind === 'connector' && id === webhookConnector && !live && !webhook.url && !local)
    throw new CliError(`connector ${id} has to be made: set WEBHOOK_URL`);
  if (kind === 'connector' && !live && hasMask(request))
    throw new CliError(
      id === webhookConnector
        ? `connector ${id} has to be made: set WEBHOOK_TOKEN`
        : `connector ${id} has to be made, and its file has a header that reads ${masked}: write the secret there`,
    );
  return request;
}

function hasMask({ headers }: Values): boolean {
  return isSettings(headers) && Object.values(headers).includes(masked);
}

export function differ(kind: ResourceKind, wanted: Values, has: Values): Difference[] {
  const [file, broker] = [
    leaves(withDefaults(schema[kind], wanted)),
    leaves(withDefaults(schema[kind], has)),
  ];
  const named = leaves(wanted);
  const differences: Difference[] = [];
  for (const key of new Set([...file.keys(), ...broker.keys()])) {
    const [path, a, b] = [JSON.parse(key) as string[], file.get(key), broker.get(key)];
    const secret = path[0] === 'headers' && isSecret(path[1]!) && (a === masked || b === masked);
    if (secret && a !== undefined && b !== undefined) continue;
    if (a !== undefined && b !== undefined && meansSame(schema[kind], path, a, b)) continue;
    // Versions differ in what holds where nobody says anything.
    if (!named.has(key) && b !== undefined && isDefault(schema[kind], path, b)) continue;
    differences.push({ path, file: a, broker: b });
  }
  return differences;
}

function leaves(settings: Values, path: string[] = []): Map<string, HoconValue> {
  const found = new Map<string, HoconValue>();
  for (const [name, value] of Object.entries(settings))
    if (isSettings(value)) for (const [key, leaf] of leaves(value, [...path, name])) found.set(key, leaf);
    else found.set(JSON.stringify([...path, name]), value);
  return found;
}

/** The action that a rule names, as a file or the broker has it. */
export function actionOf(name: string, from: BrokerConfig | Live[]): Values | undefined {
  const id = name.replace(/^http:/, '');
  if (!Array.isArray(from)) return from.actions.http[id];
  return from.find((one) => one.kind === 'action' && one.id === id)?.settings;
}
