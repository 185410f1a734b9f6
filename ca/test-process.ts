/**
 * A process of its own for tests of several on one directory: `worker DIR NAME COUNT` issues and revokes and prints serials;
 * `service DIR PORT NAME` is the service with a key that never answers, but says `signing`, when it is asked for a certificate of NAME.
 */
import { openAuthority } from './authority.ts';
import { issueKeyPair } from './key-pair.ts';
import { startService } from './server.ts';

const [mode, dir = '', argument = '', last = '0'] = process.argv.slice(2);

if (mode === 'worker') {
  const authority = await openAuthority({ dir, crlUrl: 'http://127.0.0.1/crl.pem' });
  const [issued, revoked]: [string[], string[]] = [[], []];
  for (let index = 0; index < Number(last); index += 1) {
    const pair = await issueKeyPair(authority, { profile: 'device', commonName: `${argument}-${index}` });
    issued.push(pair.serial);
    if (index % 2 === 0) {
      await authority.revoke(pair.serial, 'superseded');
      revoked.push(pair.serial);
    }
  }
  console.log(JSON.stringify({ issued, revoked }));
} else {
  const authority = await openAuthority({
    dir,
    wrapSigner: (signer) => ({
      ...signer,
      sign: (bytes) => {
        // Others are the service's own certificate and CRLs.
        if (!Buffer.from(bytes).includes(last)) return signer.sign(bytes);
        console.log('signing');
        return new Promise<never>(() => undefined);
      },
    }),
  });
  const options = { authority, host: '127.0.0.1', names: ['127.0.0.1'], callers: ['webhook.flota'] };
  const { port } = await startService({ ...options, port: Number(argument) });
  console.log(`listening ${port}`);
}
