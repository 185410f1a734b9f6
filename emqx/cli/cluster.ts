/** Nodes of a rendered broker: their names, and how they find each other. */
import { CliError } from './output.ts';

export function readNodeNames(list: string): string[] {
  const names = list.split(',').map((name) => name.trim());
  const wrong = names.find((name) => !/^[\w-]+@[A-Za-z0-9.-]+$/.test(name));
  if (wrong !== undefined) throw new CliError(`--nodes: "${wrong}" is not name@host`);
  if (new Set(names.map(hostOf)).size < names.length)
    throw new CliError('--nodes: each needs a host of its own');
  return names;
}

export function hostOf(node: string): string {
  return node.split('@')[1]!;
}

/** EMQX's `cluster` (https://docs.emqx.com/en/emqx/v5.8/deploy/cluster/create-cluster.html); JSON is HOCON. */
export function clusterOf(discovery: string, nodes: string[]): string {
  const settings = { discovery_strategy: discovery.split(':', 1)[0], ...discoveryOf(discovery, nodes) };
  return `\n## How the nodes find each other.\ncluster = ${JSON.stringify(settings, null, 2)}\n`;
}

function discoveryOf(discovery: string, nodes: string[]): object {
  if (discovery === 'static') return { static: { seeds: nodes } };
  if (discovery === 'manual') return {};
  const [, name] = /^dns:([A-Za-z0-9.-]+)$/.exec(discovery) ?? [];
  if (name) return { dns: { name, record_type: 'a' } };
  const [, namespace, service_name] = /^k8s:([a-z0-9-]+)\/([a-z0-9-]+)$/.exec(discovery) ?? [];
  if (!namespace) throw new CliError('--discovery is static, manual, dns:NAME or k8s:NAMESPACE/SERVICE');
  return {
    k8s: {
      apiserver: 'https://kubernetes.default.svc:443',
      service_name,
      address_type: 'hostname',
      namespace,
      suffix: 'svc.cluster.local',
    },
  };
}
