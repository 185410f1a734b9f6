/** What the nodes of a cluster have that others lack or have otherwise: a partition, or a node that could not take a change, leaves that. */
import { EmqxError } from '../connection.ts';
import { HoconError } from '../hocon.ts';
import type { ResourceKind } from '../schema.ts';
import { differ } from './difference.ts';
import { type Broker, type Live, marker } from './live.ts';

export type Disagreement =
  | {
      kind: ResourceKind;
      id: string;
      /** The nodes that have it; where none lacks it, those that differ. */
      with: string[];
      without: string[];
      /** Paths of the settings that differ. */
      settings: string[];
    }
  /** A node that is running and does not answer what it has. */
  | { untold: string; why: string };

/** Of the nodes that run. A single one cannot disagree and is not asked. */
export async function compareNodes(broker: Broker): Promise<Disagreement[]> {
  const running = broker.nodes.filter((node) => node.running).map(({ name }) => name);
  if (running.length < 2) return [];
  const found: Disagreement[] = [];
  const states: { node: string; has: Map<string, Live> }[] = [];
  for (const node of running) {
    try {
      const live = await broker.readNode(node);
      states.push({ node, has: new Map(live.map((one) => [`${one.kind} ${one.id}`, one])) });
    } catch (error) {
      if (!(error instanceof EmqxError || error instanceof HoconError)) throw error;
      found.push({ untold: node, why: error.message });
    }
  }
  for (const key of new Set(states.flatMap(({ has }) => [...has.keys()]))) {
    const having = states.filter(({ has }) => has.has(key));
    const [first, ...others] = having.map(({ node, has }) => ({ node, live: has.get(key)! }));
    const { kind, id } = first!.live;
    const without = states.filter(({ has }) => !has.has(key)).map(({ node }) => node);
    const differing = others.map(({ node, live }) => ({
      node,
      settings: settingsThatDiffer(first!.live, live),
    }));
    const odd = differing.filter(({ settings }) => settings.length > 0);
    if (without.length > 0)
      found.push({ kind, id, with: having.map(({ node }) => node), without, settings: [] });
    if (odd.length > 0)
      found.push({
        ...{ kind, id, with: [first!.node, ...odd.map(({ node }) => node)], without: [] },
        settings: [...new Set(odd.flatMap(({ settings }) => settings))],
      });
  }
  return found;
}

function settingsThatDiffer(a: Live, b: Live): string[] {
  const paths = differ(a.kind, a.settings, b.settings).map(({ path }) => path.join('.'));
  return a.ours === b.ours ? paths : [...paths, `description (the mark ${marker(a.id)})`];
}
