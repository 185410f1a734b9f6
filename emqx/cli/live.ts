/** The broker's side: what it has now, and the calls that change it. */
import { type Answer, type EmqxApiOptions, EmqxError, openConnection, reasonOf } from '../connection.ts';
import { nodeAt, parseHocon, toPlain } from '../hocon.ts';
import { decodeJson, isRow, type Row } from '../json.ts';
import { type BrokerNode, readNodes } from '../nodes.ts';
import { isSettings, kinds, type ResourceKind, roots, type Settings as Values } from '../schema.ts';

export interface Live {
  kind: ResourceKind;
  id: string;
  settings: Values;
  /** Made by `apply`. */
  ours: boolean;
  status?: string;
  /** Of each node that has it. */
  nodeStatus?: { node: string; status: string }[];
}
export interface Metrics {
  /** Over all nodes that told theirs. */
  total: Record<string, number>;
  nodes: { name: string; counts: Record<string, number> }[];
}
export type Tested = { rows: Row[] } | { error: string };
export interface Broker {
  url: string;
  nodes: BrokerNode[];
  /** Connectors and actions for HTTP, and all rules. */
  read(): Promise<Live[]>;
  /** The same of one node, by its own configuration: what the lists tell is in part the answering node's only. */
  readNode(name: string): Promise<Live[]>;
  create(kind: ResourceKind, id: string, settings: Values): Promise<void>;
  update(kind: ResourceKind, id: string, settings: Values): Promise<void>;
  remove(kind: ResourceKind, id: string): Promise<void>;
  /** The rows of an event; none when the SQL does not match it. */
  test(sql: string, context: object): Promise<Tested>;
  metrics(kind: 'rule' | 'action', id: string): Promise<Metrics>;
  reset(kind: 'rule' | 'action', id: string): Promise<void>;
  close(): void;
}

/**
 * EMQX has no field for who made something, so its description ends with this. The id is part of it, for the dashboard's
 * "duplicate" copies the description.
 */
export const marker = (id: string) => `[flota:${id}]`;
export function unmarked(description: unknown, id: string): string {
  return String(description ?? '')
    .replace(marker(id), '')
    .trimEnd();
}

/** Throws EmqxError when it is away, refuses the key, or is no EMQX that Flota knows. */
export async function connectBroker({ api }: { api: EmqxApiOptions }): Promise<Broker> {
  const connection = openConnection({ timeoutMs: 15_000, retryForMs: 2_000, ...api });
  const call = async (method: string, path: string, body?: unknown, ...fine: number[]): Promise<Answer> => {
    const answer = await connection.call(method, path, body === undefined ? undefined : JSON.stringify(body));
    if (answer.status >= 300 && !fine.includes(answer.status))
      throw new EmqxError(
        'broker_refused',
        `${method} ${path}: EMQX answered ${answer.status}, ${reasonOf(answer)}`,
      );
    return answer;
  };
  let nodes: BrokerNode[];
  try {
    nodes = readNodes(api.url, await connection.call('GET', '/nodes'));
  } catch (error) {
    connection.close();
    throw error;
  }
  const pathOf = (kind: ResourceKind, id: string) => `/${kind}s/${kind === 'rule' ? id : `http:${id}`}`;
  const list = async (kind: ResourceKind): Promise<Live[]> => {
    const found: Record<string, unknown>[] = [];
    if (kind === 'rule') {
      for (let page = 1; ; page++) {
        const { data, meta } = (await call('GET', `/rules?page=${page}&limit=100`)).body as {
          data: Record<string, unknown>[];
          meta: { hasnext: boolean };
        };
        found.push(...data);
        if (!meta.hasnext) break;
      }
    } else
      for (const one of (await call('GET', `/${kind}s`)).body as Record<string, unknown>[])
        if (one.type === 'http') found.push(one);
    return found.map((one) => toLive(kind, one));
  };
  return {
    url: api.url,
    nodes,
    read: async () => (await Promise.all(kinds.map(list))).flat(),
    async readNode(name) {
      const found = kinds.map(async (kind) => {
        const [key, type] = roots[kind];
        const answer = await call('GET', `/configs?node=${encodeURIComponent(name)}&key=${key}`);
        const of = nodeAt(parseHocon(answer.text, `${key} of ${name}`), key, type);
        const all = of ? toPlain(of) : {};
        return Object.entries(isSettings(all) ? all : {}).map(([id, settings]) =>
          toLive(kind, { ...(settings as Values), ...(kind === 'rule' ? { id } : { name: id }) }),
        );
      });
      return (await Promise.all(found)).flat();
    },
    async create(kind, id, settings) {
      await call('POST', `/${kind}s`, {
        ...settings,
        ...(kind === 'rule' ? { id } : { type: 'http', name: id }),
      });
    },
    async update(kind, id, settings) {
      await call('PUT', pathOf(kind, id), settings);
    },
    async remove(kind, id) {
      await call('DELETE', pathOf(kind, id), undefined, 404);
    },
    async test(sql, context) {
      const answer = await call('POST', '/rule_test', { sql, context }, 400, 412);
      if (answer.status === 412) return { rows: [] };
      if (answer.status === 400) return { error: reasonOf(answer) };
      const rows = decodeJson(answer.text);
      return { rows: (Array.isArray(rows) ? rows : [rows]).filter(isRow) };
    },
    async metrics(kind, id) {
      const told = (await call('GET', `${pathOf(kind, id)}/metrics`)).body as {
        node_metrics: { node: string; metrics: Record<string, number> }[];
      };
      const nodes = told.node_metrics.map(({ node, metrics: counts }) => ({ name: node, counts }));
      const total: Record<string, number> = {};
      for (const { counts } of nodes)
        for (const [name, count] of Object.entries(counts)) total[name] = (total[name] ?? 0) + count;
      return { total, nodes };
    },
    async reset(kind, id) {
      await call('PUT', `${pathOf(kind, id)}/metrics/reset`);
    },
    close: connection.close,
  };
}

function toLive(kind: ResourceKind, answer: Record<string, unknown>): Live {
  const { type: _, name, id: ruleId, status, node_status: nodeStatus, ...rest } = answer;
  const id = String(kind === 'rule' ? ruleId : name);
  const settings = { ...rest, ...(kind === 'rule' ? { name } : {}) } as Values;
  // What the broker tells besides its settings.
  for (const told of ['actions', 'sources', 'rules', 'error', 'status_reason', 'from'])
    if (!(kind === 'rule' && told === 'actions')) delete settings[told];
  const ours = String(settings.description ?? '').includes(marker(id));
  settings.description = unmarked(settings.description, id);
  return {
    ...{ kind, id, settings, ours, status: status as string | undefined },
    nodeStatus: nodeStatus as Live['nodeStatus'],
  };
}
