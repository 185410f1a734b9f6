/**
 * A process of its own for tests of several on one directory: `worker DIR NAME COUNT` issues and revokes and prints serials;
 * `journal DIR` writes lines where files end at 8 KiB, as on a disk that is nearly full, and prints how many were confirmed and how many of those
 * are not there; `service DIR PORT NAME` is the service with a key that never answers, but says `signing`, when it is asked for a certificate of NAME.
 */
import { execFileSync } from 'node:child_process';
import { openAuthority } from './authority.ts';
import { Journal } from './journal.ts';
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
} else if (mode === 'journal') {
  execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=8192']);
  const journal = new Journal(dir);
  const line = 'x'.repeat(999);
  const appended = [];
  for (let index = 0; index < 20; index += 1) appended.push(await journal.append(line).catch(() => null));
  const confirmed = appended.filter((place) => place !== null);
  const read = await Promise.all(confirmed.map((place) => journal.read(place)));
  const lost = read.filter((text) => text !== line).length;
  console.log(JSON.stringify({ confirmed: confirmed.length, lost }));
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
