/**
 * The broker's nodes, and whether Flota knows their version. `GET /nodes` tells it in every version and to key holders only;
 * `GET /status` no longer does since e5.8.11, 6.0.3, 6.1.4 and 6.2.2. What differs for us is a table in README.md.
 */
import { type Answer, EmqxError } from './connection.ts';

export interface BrokerNode {
  name: string;
  /** `5.8.9`; null: it is down, and says nothing. */
  version: string | null;
  running: boolean;
}

const tried = ['5.8', '5.9', '5.10', '6.0', '6.1', '6.2'];
/** As shown to people. */
export const supportedVersions = `${tried[0]} to ${tried.at(-1)}`;

/** Throws EmqxError `answer_unexpected` for what is no EMQX, or one older than any that Flota has been read against. */
export function readNodes(url: string, answer: Answer): BrokerNode[] {
  const { status, body } = answer;
  if (status !== 200 || !Array.isArray(body) || !body.every((node) => typeof node?.node === 'string'))
    throw new EmqxError(
      'answer_unexpected',
      `${url} does not answer as an EMQX does (GET /api/v5/nodes: ${status})`,
    );
  const nodes = body.map(({ node, version, node_status }) => ({
    name: node,
    version: typeof version === 'string' ? version.replace(/^[ve]+/, '') : null,
    running: node_status === 'running',
  }));
  for (const { name, version } of nodes)
    if (version && isOlder(version))
      throw new EmqxError(
        'answer_unexpected',
        `${name} at ${url} is EMQX ${version}; Flota is for ${supportedVersions}`,
      );
  return nodes;
}

/** What an operator should know before relying on it; it is no reason to stop. */
export function remarksOn(nodes: BrokerNode[]): string[] {
  const versions = versionsOf(nodes);
  const unknown = versions.filter((version) => !tried.includes(minorOf(version)));
  return [
    ...nodes.filter(({ running }) => !running).map(({ name }) => `node ${name} is not running`),
    ...(versions.length > 1 ? [`the nodes run different versions: ${versions.join(', ')}`] : []),
    ...unknown.map(
      (version) => `EMQX ${version} is newer than what Flota has been checked against (${supportedVersions})`,
    ),
  ];
}

/** `5.8.9`, or all of them while a cluster is being upgraded. */
export function versionOf(nodes: BrokerNode[]): string {
  return versionsOf(nodes).join(', ');
}

function versionsOf(nodes: BrokerNode[]): string[] {
  return [...new Set(nodes.flatMap(({ version }) => version ?? []))];
}

function minorOf(version: string): string {
  return version.split('.', 2).join('.');
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = tried[0]!.split('.').map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}
