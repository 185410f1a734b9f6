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
  const [, dns] = /^dns:([A-Za-z0-9.-]+)$/.exec(discovery) ?? [];
  const [, namespace, service] = /^k8s:([a-z0-9-]+)\/([a-z0-9-]+)$/.exec(discovery) ?? [];
  const settings =
    discovery === 'static'
      ? { discovery_strategy: 'static', static: { seeds: nodes } }
      : discovery === 'manual'
        ? { discovery_strategy: 'manual' }
        : dns
          ? { discovery_strategy: 'dns', dns: { name: dns, record_type: 'a' } }
          : namespace
            ? {
                discovery_strategy: 'k8s',
                k8s: {
                  apiserver: 'https://kubernetes.default.svc:443',
                  service_name: service,
                  address_type: 'hostname',
                  namespace,
                  suffix: 'svc.cluster.local',
                },
              }
            : null;
  if (!settings) throw new CliError('--discovery is static, manual, dns:NAME or k8s:NAMESPACE/SERVICE');
  return `\n## How the nodes find each other.\ncluster = ${JSON.stringify(settings, null, 2)}\n`;
}
