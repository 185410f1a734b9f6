/** What a server says of itself (no descriptor is left for a connection) is logged or let go; it never ends the process. */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test, vi } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { startMetrics } from '#ca/metrics-server.ts';
import { startService } from '#ca/server.ts';
import { startTestBed } from '#emqx/standin/test-broker.ts';
import { openListener } from '#webhook/listener.ts';
import { startGate } from '../../lab/system/gate.ts';
import { startLink } from '../../lab/system/link.ts';
import { openLine } from '../browser-proxy.ts';
import { startCdn } from '../cdn-standin.ts';
import { startStore } from '../store/store.ts';

const dir = mkdtempSync(join(tmpdir(), 'flota-errors-'));
afterAll(() => rmSync(dir, { recursive: true }));
const host = '127.0.0.1';
const authority = await openAuthority({ dir: join(dir, 'ca') });

const starts: Record<string, () => Promise<{ close(): unknown }>> = {
  'the stand-in': () => startTestBed({}),
  'the store': async () => {
    const { key, certificate: cert } = await issueKeyPair(authority, {
      ...{ profile: 'broker' as const, commonName: 'store', names: ['localhost'] },
    });
    return startStore({
      ...{ host, dir: join(dir, 'store'), httpPort: 0, httpsPort: 0, tls: { key, cert }, bucket: 'b' },
      ...{ accessKeyId: 'k', secretAccessKey: 's', region: 'r', corsOrigins: '*' },
    });
  },
  'the CA': () => startService({ authority, host, port: 0, names: ['localhost'], callers: [] }),
  "the CA's metrics": () => startMetrics({ host, port: 0, write: async () => '' }),
  'the webhook': () => openListener({ fetch: () => new Response() }, () => {}, { host, port: 0 }),
  'the gate': () => startGate('http://127.0.0.1:9'),
  'the link': () => startLink(9),
  'the line': () => openLine(),
  'the CDN': () => startCdn({}, async () => ''),
};

test.each(Object.keys(starts))('%s outlives an error of its listeners', async (name) => {
  const listens = vi.spyOn(net.Server.prototype, 'listen');
  const started = await starts[name]!();
  const servers = new Set(listens.mock.contexts as net.Server[]);
  listens.mockRestore();
  expect(servers.size).toBeGreaterThan(0);
  const full = Object.assign(new Error('accept EMFILE'), { code: 'EMFILE' });
  // Twice: a listener that was there for the start alone is gone after the first.
  for (const server of servers)
    for (let i = 0; i < 2; i++) expect(() => server.emit('error', full)).not.toThrow();
  await started.close();
});
