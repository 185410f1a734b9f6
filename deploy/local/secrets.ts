import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ConfigError } from '#webhook/config.ts';
import { damaged, readOrMake } from './durable-file.ts';

const schema = z.object({
  adminPassword: z.string(),
  apiToken: z.string(),
  webhookToken: z.string(),
  emqxKey: z.string(),
  emqxSecret: z.string(),
  s3AccessKeyId: z.string(),
  s3SecretAccessKey: z.string(),
  caPassphrase: z.string(),
});
export type Secrets = z.infer<typeof schema>;

/** Made at the first start, kept in the data directory. @throws ConfigError when what is kept cannot be read, or is gone */
export function loadSecrets(dir: string): Secrets {
  const path = join(dir, 'secrets.json');
  const text = readOrMake(path, () => {
    if (existsSync(join(dir, 'ca')))
      throw new ConfigError([`${path} is gone, and the keys in ${dir}/ca open only with it: bring it back`]);
    const secret = () => randomBytes(24).toString('base64url');
    const made: Secrets = {
      adminPassword: randomBytes(9).toString('base64url'),
      apiToken: secret(),
      webhookToken: secret(),
      emqxKey: 'flota',
      emqxSecret: secret(),
      s3AccessKeyId: `FLOTA${randomBytes(8).toString('hex').toUpperCase()}`,
      s3SecretAccessKey: secret(),
      caPassphrase: secret(),
    };
    return JSON.stringify(made, null, 2);
  });
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw damaged(path);
  }
}

/** The master key of encrypted firmware, as `SEALING_KEYS` wants it; in a file of its own, for directories of before there was one. */
export function loadSealingKey(dir: string): string {
  return readOrMake(join(dir, 'sealing.key'), () => randomBytes(32).toString('base64'));
}
