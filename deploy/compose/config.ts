/** What the one-shot jobs of compose.yaml read from their environment. Every problem is listed before anything is done. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseEnvironment, readNamed } from '#webhook/config.ts';

const host = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/, 'must be a host name or an IPv4 address');
const url = z.url({ protocol: /^https?$/ });
const secret = z.string().min(16);
const named = z
  .string()
  .min(1)
  .transform((value) => readNamed(value, (path) => readFileSync(path, 'utf8')));

const schemas = {
  prepare: z.object({
    FLOTA_HOST: host.default('flota.internal'),
    CA_CRL_URL: z.url({ protocol: /^http$/ }).optional(),
  }),
  bucket: z.object({
    S3_ENDPOINT: url,
    S3_BUCKET: z.string().min(3),
    AWS_REGION: z.string().default('us-east-1'),
    PUBLIC_URL: url,
  }),
  token: z.object({ FLOTA_URL: url, FLOTA_API_TOKEN: secret, FLOTA_HOST: host.default('flota.internal') }),
  device: z.object({
    FLOTA_URL: url,
    FLOTA_MQTT_URL: z.url({ protocol: /^mqtts$/ }),
    FLOTA_API_TOKEN: secret,
    CA_ROOT: named,
    FIRMWARE_KEYS: named,
  }),
};

/** Throws ConfigError. */
export function readJob<Job extends keyof typeof schemas>(
  job: Job,
  env: Record<string, string | undefined> = process.env,
): z.infer<(typeof schemas)[Job]> {
  return parseEnvironment(schemas[job], env) as z.infer<(typeof schemas)[Job]>;
}
