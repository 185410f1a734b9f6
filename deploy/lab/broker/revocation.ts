import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { openAuthority } from '#ca/authority.ts';
import { issueKeyPair } from '#ca/key-pair.ts';
import { program } from '../primitives/programs.js';
import { until } from '../primitives/until.ts';
import { unwrap } from '../rest.ts';
import { type Bed, closed, type Pair } from './bed.ts';

const [older, newer] = [{ maxVersion: 'TLSv1.2' }, { maxVersion: 'TLSv1.3' }] as const;
const cli = fileURLToPath(new URL('../../../ca/cli.ts', import.meta.url));

/** `crlWaitMs`: for how long the broker may go on with the CRL that it has. */
export function defineRevocation(bed: () => Bed, crlWaitMs: number): void {
  describe('revocation', () => {
    it('a revoked certificate ends its connection, then each return, then no handshake succeeds; a new one does', {
      timeout: crlWaitMs + 30_000,
    }, async () => {
      const { rest, register, enroll, online, attempt, idOf } = bed();
      const id = idOf('revoked');
      await register(id);
      const device = () => unwrap(rest.api.devices[':id'].$get({ param: { id } }));
      const pair = await enroll(id);
      const gone = closed(await online(pair, newer));
      await until(device, (seen) => seen.online);
      await unwrap(
        rest.api.certificates[':serial'].revoke.$post({
          param: { serial: pair.serial },
          json: { reason: 'keyCompromise' },
        }),
      );
      await gone;

      // Until the broker has the new CRL it lets the device in, and the webhook ends that each time.
      await until('the handshake fails', async () => (await attempt(pair, newer)) === 'refused', crlWaitMs);
      expect(await attempt(pair, older)).toBe('refused');

      const other = await enroll(id);
      const back = await online(other, older);
      await until(device, (seen) => seen.certificate?.serial === other.serial && seen.online);
      expect(back.connected).toBe(true);
    });

    it('npm run ca -- revoke says that it disconnects nobody; with --url the webhook does', async () => {
      const { rest, stack, authority, register, enroll, online, idOf } = bed();
      const id = idOf('by-hand');
      await register(id);
      const pair = await enroll(id);
      const client = await online(pair);
      const run = async (...args: string[]) => {
        const env = {
          PATH: process.env.PATH,
          CA_DIR: authority.dir,
          CA_PASSPHRASE: authority.passphrase,
          FLOTA_API_TOKEN: stack.apiToken,
        };
        const options = [...program(cli), 'revoke', pair.serial, '--reason', 'keyCompromise', ...args];
        return (await promisify(execFile)(process.execPath, options, { env })).stdout;
      };
      expect(await run()).toMatch(/revoked at .*\n.*stays connected/);
      expect(client.connected).toBe(true);
      const gone = closed(client);
      expect(await run('--url', stack.url)).toMatch(/was revoked before\n.*has disconnected its holder/);
      await gone;
      const { revocation } = await unwrap(
        rest.api.certificates[':serial'].$get({ param: { serial: pair.serial } }),
      );
      expect(revocation).toMatchObject({ reason: 'keyCompromise' });
    });

    it('a broker does not pass as a device, and a service may neither publish nor subscribe', async () => {
      const { stack, authority, online, attempt, idOf } = bed();
      const ca = await openAuthority({ ...authority, crlUrl: `${stack.url}/crl/crl.pem` });
      const issue = async (profile: 'broker' | 'service', commonName: string): Promise<Pair> => {
        const pair = await issueKeyPair(ca, { profile, commonName, names: ['localhost'] });
        return { key: pair.key, cert: pair.certificate + pair.chain, serial: pair.serial };
      };
      const broker = await issue('broker', idOf('broker'));
      for (const version of [older, newer]) expect(await attempt(broker, version)).toBe('refused');
      const service = await online(await issue('service', 'webhook.flota'), newer);
      const [granted] = await service
        .subscribeAsync({ 'firmware/download/request': { qos: 1 } })
        .catch(() => []);
      expect(granted).toBeUndefined();
    });
  });
}
