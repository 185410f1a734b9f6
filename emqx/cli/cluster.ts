/** Nodes of a rendered broker: their names, and how they find each other. */
import { isIP } from 'node:net';
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
export function clusterOf(discovery: string, nodes: string[], certs: string | null): string {
  const settings = {
    discovery_strategy: discovery.split(':', 1)[0],
    ...discoveryOf(discovery, nodes),
    ...(certs && { proto_dist: 'inet_tls' }),
  };
  const cluster = `\n## How the nodes find each other.\ncluster = ${JSON.stringify(settings, null, 2)}\n`;
  return certs ? `${cluster}\n${rpcOf(certs)}` : cluster;
}

/** Throws CliError: Erlang compares the host of a node's name, as a DNS name, with the certificate; an address never matches. */
export function requireDnsNames(nodes: string[]): void {
  const address = nodes.find((node) => isIP(hostOf(node)) !== 0);
  if (address) throw new CliError(`--node-tls: ${address} must be named by a DNS name`);
}

/** ssl_dist.conf, Erlang terms: TLS of the distribution, with a certificate from both sides. */
export function distributionOf(certs: string): string {
  const own = ['cert', 'key', 'ca'].map(
    (name) => `{${name}${name === 'ca' ? 'cert' : ''}file, ${erlangText(`${certs}/${name}.pem`)}}`,
  );
  const side = (name: string, ...more: string[]) =>
    ` {${name}, [\n   ${[...own, '{verify, verify_peer}', ...more].join(',\n   ')}\n ]}`;
  return `%% Whoever has a certificate of ${certs}/ca.pem for TLS clients passes here, and then needs the cookie. So that CA is the nodes' own.\n[\n${side('server', '{fail_if_no_peer_cert, true}')},\n${side('client')}\n].\n`;
}

/** The other connection between nodes, which carries messages; its TLS asks both sides for a certificate of the CA. */
function rpcOf(certs: string): string {
  const settings = {
    protocol: 'ssl',
    certfile: `${certs}/cert.pem`,
    keyfile: `${certs}/key.pem`,
    cacertfile: `${certs}/ca.pem`,
    // Peers prove that they know the cookie; older ones sent it.
    insecure_fallback: false,
  };
  return `rpc = ${JSON.stringify(settings, null, 2)}\n`;
}

function erlangText(text: string): string {
  return JSON.stringify(text);
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
