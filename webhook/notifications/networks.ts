/**
 * Where a notification may go: only to addresses of the public Internet, or of networks that the operator has allowed. Whoever writes
 * a channel's address must not make this server speak with its own network.
 */
import { BlockList, isIP } from 'node:net';

export interface Networks {
  /** `public` may be reached by https only; `allowed` by either. */
  judge(address: string): 'public' | 'allowed' | 'refused';
}

/** RFC 6890 and its registry: what is not globally reachable, and the clouds' metadata (169.254.169.254, 100.100.100.200, 168.63.129.16). */
const refusedV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
/** Global unicast is 2000::/3: ::1, fc00::/7, fe80::/10, ff00::/8 and NAT64 are outside. Within it, protocols of IETF, documentation, 6to4. */
const globalV6 = '2000::/3';
const refusedV6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

/** Null when it is no network in CIDR notation. */
export function parseNetwork(
  text: string,
): { address: string; bits: number; family: 'ipv4' | 'ipv6' } | null {
  const [, address = '', bits = ''] = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(text) ?? [];
  const version = isIP(address);
  if (version === 0 || Number(bits) > (version === 4 ? 32 : 128)) return null;
  return { address, bits: Number(bits), family: version === 4 ? 'ipv4' : 'ipv6' };
}

/** `allowed` in CIDR notation, checked before (`parseNetwork`). */
export function createNetworks(allowed: readonly string[]): Networks {
  const [open, closed, global] = [listOf(allowed), listOf([...refusedV4, ...refusedV6]), listOf([globalV6])];
  return {
    judge(given) {
      const address = plain(given);
      const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
      if (isIP(address) === 0) return 'refused';
      if (open.check(address, family)) return 'allowed';
      if (closed.check(address, family)) return 'refused';
      return family === 'ipv4' || global.check(address, family) ? 'public' : 'refused';
    },
  };
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const { address, bits, family } = parseNetwork(network)!;
    list.addSubnet(address, bits, family);
  }
  return list;
}

/** `::ffff:127.0.0.1`, however it is written, is 127.0.0.1. A zone (`fe80::1%eth0`) is not part of the address. */
function plain(given: string): string {
  const address = given.replace(/^\[|\]$/g, '').replace(/%.*$/, '');
  if (isIP(address) !== 6) return address;
  const host = new URL(`http://[${address}]`).hostname;
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return host.slice(1, -1);
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [a >> 8, a & 255, b >> 8, b & 255].join('.');
}
