/**
 * A process of its own for tests of several on one directory: `worker DIR NAME COUNT` issues and revokes and prints serials;
 * `service DIR PORT` is the service with a key that never answers, and says `signing` when it is asked.
 */
import { openAuthority } from './authority.ts';
import { issueKeyPair } from './key-pair.ts';
import { startService } from './server.ts';

const [mode, dir = '', argument = '', count = '0'] = process.argv.slice(2);

if (mode === 'worker') {
  const authority = await openAuthority({ dir, crlUrl: 'http://127.0.0.1/crl.pem' });
  const [issued, revoked]: [string[], string[]] = [[], []];
  for (let index = 0; index < Number(count); index += 1) {
    const pair = await issueKeyPair(authority, { profile: 'device', commonName: `${argument}-${index}` });
    issued.push(pair.serial);
    if (index % 2 === 0) {
      await authority.revoke(pair.serial, 'superseded');
      revoked.push(pair.serial);
    }
  }
  console.log(JSON.stringify({ issued, revoked }));
} else {
  let asked = 0;
  const authority = await openAuthority({
    dir,
    wrapSigner: (signer) => ({
      ...signer,
      sign: (bytes) => {
        asked += 1;
        // The first is for the service's own certificate.
        if (asked === 1) return signer.sign(bytes);
        console.log('signing');
        return new Promise<never>(() => undefined);
      },
    }),
  });
  const options = { authority, host: '127.0.0.1', names: ['127.0.0.1'], callers: ['webhook'] };
  const { port } = await startService({ ...options, port: Number(argument) });
  console.log(`listening ${port}`);
}
