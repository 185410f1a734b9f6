/** What people look for who bring a device or a script of their own, as files in the data directory. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { System } from '../lab/system/system.ts';

type Source = Pick<System, 'authority' | 'signing' | 'apiToken'>;

/** Written at each start, for each may have changed; the token is for this user's eyes only. Returns where they are. */
export async function writeHandouts(
  dir: string,
  { authority, signing, apiToken }: Source,
): Promise<{ path: string; what: string }[]> {
  const { root } = await authority.trust();
  const handouts = [
    { name: 'root.pem', what: 'root certificate: what a device trusts', content: root },
    {
      name: 'firmware-keys.json',
      what: 'JWKS: what a device verifies firmware against',
      content: `${JSON.stringify(signing.publicKeys, null, 2)}\n`,
    },
    { name: 'api-token', what: 'bearer token for scripts, as an admin', content: `${apiToken}\n` },
  ];
  return handouts.map(({ name, what, content }) => {
    const path = join(dir, name);
    writeFileSync(path, content, { mode: 0o600 });
    return { path, what };
  });
}
