/** A one-time token for the broker's certificate, in a file beside where the certificate will be; nothing when that is there. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { putSecret } from '../lab/primitives/secret-file.ts';
import { createRest, unwrap } from '../lab/rest.ts';
import { readJob } from './config.ts';
import { runJob } from './job.ts';

await runJob(['out'], async ({ out }) => {
  const { FLOTA_URL, FLOTA_API_TOKEN, FLOTA_HOST } = readJob('token');
  if (existsSync(join(dirname(out), 'cert.pem'))) {
    process.stdout.write('the broker has its certificate\n');
    return;
  }
  const json = { profile: 'broker' as const, commonName: 'emqx', names: ['emqx', FLOTA_HOST] };
  const rest = createRest(FLOTA_URL, FLOTA_API_TOKEN);
  const { token } = await unwrap(rest.api.certificates.tokens.$post({ json }));
  putSecret(out, token);
  process.stdout.write(`one-time token for ${json.names.join(', ')}\n`);
});
