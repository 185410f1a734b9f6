import { expect, test } from 'vitest';
import { createNetworks, parseNetwork } from './networks.ts';

const closed = createNetworks([]);

test.each([
  ['loopback', ['127.0.0.1', '127.8.8.8', '::1']],
  ['this host', ['0.0.0.0', '0.1.2.3', '::']],
  ['private networks', ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.1.1', '100.64.0.1']],
  ['link-local', ['169.254.0.1', 'fe80::1', 'fe80::1%eth0', 'febf::1', 'fec0::1']],
  ["clouds' metadata", ['169.254.169.254', '100.100.100.200', '168.63.129.16', 'fd00:ec2::254']],
  ['unique-local', ['fc00::1', 'fd12:3456::1']],
  ['multicast and broadcast', ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1']],
  ['what is reserved', ['192.0.0.1', '192.0.2.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '240.0.0.1']],
  ['IPv4 within IPv6', ['::ffff:127.0.0.1', '::ffff:7f00:1', '0:0:0:0:0:FFFF:10.0.0.1', '::127.0.0.1']],
  ['IPv4 by translation', ['64:ff9b::7f00:1', '64:ff9b:1::a00:1', '2002:7f00:1::1', '2001:0:7f00::1']],
  ['documentation', ['2001:db8::1', '3fff::1']],
  ['what is no address', ['', 'localhost', '127.1', '1.2.3.4.5', '[::1]x']],
])('%s is refused', (_, addresses) => {
  expect(addresses.filter((address) => closed.judge(address) !== 'refused')).toEqual([]);
});

test('the public Internet is not refused, nor the neighbours of what is', () => {
  const open = [
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.1.1',
    '223.255.255.255',
  ];
  const open6 = ['2606:4700::1111', '2a00:1450::1', '2001:4860::8888', '::ffff:1.1.1.1', '[2606:4700::1111]'];
  expect([...open, ...open6].filter((address) => closed.judge(address) !== 'public')).toEqual([]);
});

test('what the operator has allowed is, in every form of its address, and nothing beside it', () => {
  const networks = createNetworks(['10.1.0.0/16', 'fd00:1::/32']);
  for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '::ffff:a01:203', 'fd00:1::9'])
    expect(networks.judge(address), address).toBe('allowed');
  for (const address of ['10.2.0.1', 'fd00:2::9', '127.0.0.1', '169.254.169.254'])
    expect(networks.judge(address), address).toBe('refused');
});

test('a network is an address and its bits', () => {
  expect(parseNetwork('10.0.0.0/8')).toEqual({ address: '10.0.0.0', bits: 8, family: 'ipv4' });
  expect(parseNetwork('fd00::/8')).toEqual({ address: 'fd00::', bits: 8, family: 'ipv6' });
  for (const wrong of ['', '10.0.0.0', '10.0.0.0/33', 'fd00::/129', '10.0/8', 'any', '10.0.0.0/8 ', '::1/-1'])
    expect(parseNetwork(wrong), wrong).toBeNull();
});
