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

const address = z.email();
const prepare = z
  .object({
    FLOTA_HOST: host.default('flota.internal'),
    CA_CRL_URL: z.url({ protocol: /^http$/ }).optional(),
    FLOTA_ALARM_EMAIL: z
      .string()
      .refine((value) => value.split(/, */).every((one) => address.safeParse(one).success), {
        error: 'must be e-mail addresses, separated by commas',
      })
      .optional(),
    FLOTA_ALARM_FROM: address.default('flota@flota.local'),
    FLOTA_ALARM_WEBHOOK: url.optional(),
    FLOTA_SMTP: z
      .string()
      .regex(/^[A-Za-z0-9.-]+:\d{1,5}$/, 'must be host:port of a mail server')
      .optional(),
    FLOTA_SMTP_USER: z.string().optional(),
    FLOTA_SMTP_TLS: z
      .enum(['true', 'false'])
      .default('true')
      .transform((value) => value === 'true'),
  })
  .refine((env) => !env.FLOTA_ALARM_EMAIL || env.FLOTA_SMTP, {
    path: ['FLOTA_SMTP'],
    error: 'is needed to send to FLOTA_ALARM_EMAIL',
  });

const schemas = {
  prepare,
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
