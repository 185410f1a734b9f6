/** What the outages happen to: the stand-in in this process, or an EMQX somewhere that is told where to send its rows. */
import { exec } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import type { CertificateAuthority } from '#ca/client.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import type { BrokerConfig } from '#emqx/rules.ts';
import { startBroker } from '#emqx/standin/broker.ts';

export interface TestedBroker {
  mqttUrl: string;
  api: { url: string; key: string; secret: string };
  /** Loses what is in memory, and is back when it resolves. Null: nobody said how. */
  restart: (() => Promise<void>) | null;
  close(): Promise<void>;
}

export type OpenBroker = (parts: {
  authority: CertificateAuthority;
  config: BrokerConfig;
}) => Promise<TestedBroker>;

/** `actionHangMs`: after how long an unanswered request is sent again; EMQX's 20 s unless a test is in a hurry. */
export function standin(options: { actionHangMs?: number } = {}): OpenBroker {
  return async ({ authority, config }) => {
    const names = ['localhost', '127.0.0.1'];
    const pair = await issueKeyPair(authority, { profile: 'broker', commonName: 'emqx', names });
    const { root, issuing } = await authority.trust();
    const start = (ports = { mqttPort: 0, apiPort: 0 }) =>
      startBroker({
        host: '127.0.0.1',
        ...ports,
        tls: { key: pair.key, cert: pair.certificate + pair.chain, ca: root + issuing },
        acl: readFileSync(new URL('../../emqx/conf/acl.conf', import.meta.url), 'utf8'),
        config,
        apiKey: 'outage',
        apiSecret: 'outage',
        ...options,
      });
    let broker = await start();
    const { mqttPort, apiPort } = broker;
    return {
      mqttUrl: `mqtts://localhost:${mqttPort}`,
      api: { url: `http://127.0.0.1:${apiPort}`, key: 'outage', secret: 'outage' },
      async restart() {
        await broker.close();
        broker = await start({ mqttPort, apiPort });
      },
      close: () => broker.close(),
    };
  };
}

/** A running EMQX: connectors, actions and rules are merged into its configuration, and stay there. */
export function emqx(options: {
  mqttUrl: string;
  api: { url: string; key: string; secret: string };
  restartCommand: string | null;
}): OpenBroker {
  const { mqttUrl, api, restartCommand } = options;
  return async ({ config }) => {
    const call = (method: string, path: string, body?: string) =>
      fetch(`${api.url.replace(/\/$/, '')}/api/v5${path}`, {
        method,
        body,
        headers: {
          authorization: `Basic ${Buffer.from(`${api.key}:${api.secret}`).toString('base64')}`,
          ...(body !== undefined && { 'content-type': 'text/plain' }),
        },
        signal: AbortSignal.timeout(15_000),
      });
    // JSON is HOCON.
    const answer = await call('PUT', '/configs?mode=merge', JSON.stringify(config));
    if (answer.status !== 200)
      throw new Error(`EMQX refused the configuration: ${answer.status} ${await answer.text()}`);
    return {
      mqttUrl,
      api,
      restart:
        restartCommand === null
          ? null
          : async () => {
              await promisify(exec)(restartCommand);
              for (let tries = 0; ; tries++) {
                const status = await call('GET', '/status').catch(() => null);
                if (status?.ok) return;
                if (tries > 120) throw new Error('EMQX did not come back after EMQX_RESTART_CMD');
                await new Promise((resolve) => setTimeout(resolve, 500));
              }
            },
      close: async () => {},
    };
  };
}
