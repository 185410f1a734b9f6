/** Writes the settings of one device as the CSV that ESP-IDF's nvs_partition_gen.py takes. */
import { readFileSync, realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { deviceIdSchema } from '#emqx/protocol.ts';

const coordinate = z.base64url().transform((text) => Buffer.from(text, 'base64url').toString('hex'));
const hexOf32Bytes = coordinate.pipe(z.string().length(64));
/** A JSON Web Key Set of P-256 signing keys, as `npm run firmware -- keygen` writes it. */
const keySetSchema = z.object({
  keys: z
    .array(
      z.object({
        kty: z.literal('EC'),
        crv: z.literal('P-256'),
        kid: z.string().min(1).max(64),
        x: hexOf32Bytes,
        y: hexOf32Bytes,
      }),
    )
    .min(1)
    .max(2),
});

// The sizes of struct settings in flota/src/settings.h, without the terminators.
const settingsSchema = z.object({
  id: deviceIdSchema,
  'wifi-ssid': z.string().min(1).max(32),
  'wifi-password': z.string().max(64).default(''),
  mqtt: z.url({ protocol: /^mqtts$/ }).max(255),
  enroll: z.url({ protocol: /^https$/ }).max(255),
  token: z.string().min(1).max(128),
  trust: z.string().min(1),
  keys: z.string().min(1),
  ntp: z.string().min(1).max(127).default('pool.ntp.org'),
});
export type Settings = z.input<typeof settingsSchema>;

const cell = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** Throws ZodError, or what reading a file throws. */
export function settingsCsv(input: Settings): string {
  const settings = settingsSchema.parse(input);
  const trust = realpathSync(resolve(settings.trust));
  z.string().startsWith('-----BEGIN CERTIFICATE-----').max(3999).parse(readFileSync(trust, 'utf8'));
  const { keys } = keySetSchema.parse(JSON.parse(readFileSync(settings.keys, 'utf8')));
  const texts: [string, string][] = [
    ['id', settings.id],
    ['wifi_ssid', settings['wifi-ssid']],
    ['wifi_password', settings['wifi-password']],
    ['mqtt_url', settings.mqtt],
    ['enroll_url', settings.enroll],
    ['token', settings.token],
    ['ntp', settings.ntp],
    ...keys.flatMap(({ kid, x, y }, number): [string, string][] => [
      [`key${number}_kid`, kid],
      [`key${number}_xy`, x + y],
    ]),
  ];
  const rows = texts.map(([name, text]) => [name, 'data', 'string', cell(text)].join(','));
  return [
    'key,type,encoding,value',
    'settings,namespace,,',
    ...rows,
    `trust,file,string,${cell(trust)}`,
    '',
  ].join('\n');
}

const usage = `npx tsx firmware/esp-idf/settings.ts --id ID --wifi-ssid NAME [--wifi-password TEXT] --mqtt mqtts://HOST:8883
    --enroll https://HOST/api/issue_cert --token TOKEN --trust root.pem --keys firmware-keys.json [--ntp HOST] > settings.csv
`;

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const names = Object.keys(settingsSchema.shape);
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean' } } });
    process.stdout.write(values.help ? usage : settingsCsv(values as unknown as Settings));
  } catch (error) {
    const why =
      error instanceof z.ZodError
        ? error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')
        : (error as Error).message;
    process.stderr.write(`${why}\n${usage}`);
    process.exitCode = 1;
  }
}
