/**
 * A look at the broker for whoever shows it: what `npm run emqx -- status` counts and what `plan` finds different, by the
 * same code. It changes nothing.
 */
import { isEnabled, type Reading, readCounts } from './cli/counts.ts';
import { type Change, compare, type Difference } from './cli/difference.ts';
import { connectBroker, type Live } from './cli/live.ts';
import type { EmqxApiOptions } from './connection.ts';
import { createPasswordProbe, type PasswordProbe } from './default-password.ts';
import { HoconError, type HoconValue } from './hocon.ts';
import { versionOf } from './nodes.ts';
import { RuleError } from './rules.ts';
import { isSecret, masked } from './schema.ts';

export interface RuleReading {
  id: string;
  description: string;
  enabled: boolean;
  sql: string;
  /** `http:<id>` */
  actions: string[];
  /** By EMQX's own names, since its start or the last reset. */
  counts: Record<string, number>;
  lost: { why: string; count: number }[];
}
export interface ActionReading {
  id: string;
  description: string;
  enabled: boolean;
  /** EMQX's word: connected, connecting, disconnected, inconsistent. */
  status: string;
  connector: string;
  counts: Record<string, number>;
  lost: { why: string; count: number }[];
}
export interface ConnectorReading {
  id: string;
  description: string;
  enabled: boolean;
  status: string;
  url: string;
}
export interface DriftReading {
  kind: Change['kind'];
  id: string;
  /** What `apply` would do; foreign: it was made elsewhere, and `apply` leaves it alone. */
  does: Change['does'];
  /** null: not there. Secrets are masked. */
  differences: { path: string; file: string | null; broker: string | null }[];
}
export interface Inspection {
  version: string;
  /** Everybody can log in to its dashboard, and then publish to every device. Such a broker is not healthy, whatever else. */
  defaultPassword: boolean;
  connectors: ConnectorReading[];
  rules: RuleReading[];
  actions: ActionReading[];
  /** null: the rule files cannot be read here. */
  drift: DriftReading[] | null;
}
export interface Inspector {
  /** Throws EmqxError: the broker is away, refuses the key, or is no EMQX that Flota knows. */
  inspect(): Promise<Inspection>;
}

/** `dir`: of the rule files; undefined: emqx/rules. */
export function createInspector(api: EmqxApiOptions, dir?: string): Inspector {
  const probe = createPasswordProbe(api);
  return { inspect: () => look(api, probe, dir) };
}

async function look(api: EmqxApiOptions, probe: PasswordProbe, dir: string | undefined): Promise<Inspection> {
  // A person waits for this, so it is not tried for long.
  const broker = await connectBroker({ api: { ...api, timeoutMs: 5_000, retryForMs: 0 } });
  try {
    const live = await broker.read();
    const readings = await readCounts(broker, live);
    const of = (kind: Live['kind']) => readings.filter((one) => one.live.kind === kind);
    return {
      version: versionOf(broker.nodes),
      defaultPassword: (await probe.find()) !== null,
      connectors: of('connector').map(({ live: one }) => ({
        ...common(one),
        status: one.status ?? '',
        url: String(one.settings.url ?? ''),
      })),
      rules: of('rule').map((reading) => ({
        ...counted(reading),
        sql: String(reading.live.settings.sql ?? '').trim(),
        actions: (reading.live.settings.actions ?? []) as string[],
      })),
      actions: of('action').map((reading) => ({
        ...counted(reading),
        status: reading.live.status ?? '',
        connector: String(reading.live.settings.connector ?? ''),
      })),
      drift: driftOf(live, dir),
    };
  } finally {
    broker.close();
  }
}

function common(live: Live) {
  return { id: live.id, description: String(live.settings.description ?? ''), enabled: isEnabled(live) };
}

function counted({ live, counts, lost }: Reading) {
  return { ...common(live), counts, lost };
}

function driftOf(live: Live[], dir: string | undefined): DriftReading[] | null {
  try {
    // The address and the token of the webhook are the deployment's: what the broker has stays.
    const { changes } = compare(dir, live, { webhook: { url: null, token: null } });
    return changes.map(({ kind, id, does, differences }) => ({
      kind,
      id,
      does,
      differences: differences.map(shown),
    }));
  } catch (error) {
    const unreadable = [HoconError, RuleError].some((type) => error instanceof type);
    if (unreadable || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function shown({ path, file, broker }: Difference): DriftReading['differences'][number] {
  const secret = path[0] === 'headers' && isSecret(path[1] ?? '');
  const text = (value: HoconValue | undefined) => {
    if (value === undefined) return null;
    if (secret) return masked;
    return typeof value === 'string' ? value.trim() : JSON.stringify(value);
  };
  return { path: path.join('.'), file: text(file), broker: text(broker) };
}
