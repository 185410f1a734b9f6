import { isIP, isIPv4, SocketAddress } from 'node:net';
import { CaError, type ProfileName } from './client.ts';

/** One entry of a subjectAltName. `text` is canonical: lower-case DNS name, or the address as Node prints it. */
export type SubjectName = { kind: 'dns'; text: string } | { kind: 'ip'; text: string; bytes: Uint8Array };

const hostLike = /^(?=.{1,64}$)[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$/;
/** With a dot, which no device's name has: a service may be a TLS client, and to the broker every client is named by its common name. */
const dottedHost =
  /^(?=.{1,64}$)(?!node\.)[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*\.[A-Za-z0-9_-]*[A-Za-z0-9]$/;

/** A node of a cluster is a TLS client of the others, and so would be one of the listener for devices: `node.` is before no other name. */
const nodeName = /^(?=.{1,64}$)node\.[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*(?<![._-])$/;

/** What a common name may look like; at most 64 characters (RFC 5280 appendix A, ub-common-name). */
export const commonNamePatterns: Readonly<Record<ProfileName, RegExp>> = {
  device: /^[A-Za-z0-9_-]{1,64}$/,
  broker: hostLike,
  'broker-node': nodeName,
  service: dottedHost,
};

const dnsLabel = /^(?!-)[a-z0-9-]{1,63}(?<!-)$/;

/**
 * A DNS name in preferred syntax (RFC 5280 §4.2.1.6, RFC 1034 §3.5), or an IP address. No wildcards: whoever serves under
 * our CA knows its names.
 * @throws CaError name_invalid
 */
export function parseSubjectName(name: string): SubjectName {
  if (isIP(name) !== 0 && !name.includes('%')) {
    const bytes = addressBytes(name);
    return { kind: 'ip', text: addressText(bytes), bytes };
  }
  const text = name.toLowerCase();
  const labels = text.split('.');
  // A last label of digits only would read as an address (RFC 1123 §2.1).
  const numeric = /^\d+$/.test(labels.at(-1) ?? '');
  if (text.length > 253 || numeric || !labels.every((label) => dnsLabel.test(label))) {
    throw new CaError('name_invalid', `"${name.slice(0, 80)}" is neither a DNS name nor an IP address`);
  }
  return { kind: 'dns', text };
}

/** RFC 5280 §4.2.1.6: four octets for IPv4, sixteen for IPv6. */
export function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, index) =>
    (((bytes[index * 2] ?? 0) << 8) | (bytes[index * 2 + 1] ?? 0)).toString(16),
  );
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}

function addressBytes(address: string): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split('.'), Number);
  // The URL parser brings every spelling, dotted tails too, to one form.
  const canonical = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [head = '', tail] = canonical.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return Uint8Array.from(
    groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]),
  );
}
