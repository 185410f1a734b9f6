/** What the factory, or you on the bench, writes into a device's NVS: settings, and where its key was not made on it, who it is. */
import { readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { putSecret } from '#deploy/lab/primitives/secret-file.ts';
import { deviceIdSchema } from '#emqx/protocol.ts';
import { type NvsEntries, nvsImage } from './nvs.ts';

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
/** What all devices of a production run share; `trust` and `keys` are files. */
export const sharedSettingsSchema = z.object({
  'wifi-ssid': z.string().min(1).max(32),
  'wifi-password': z.string().max(64).default(''),
  mqtt: z.url({ protocol: /^mqtts$/ }).max(255),
  enroll: z.url({ protocol: /^https$/ }).max(255),
  trust: z.string().min(1),
  keys: z.string().min(1),
  ntp: z.string().min(1).max(127).default('pool.ntp.org'),
});
export type SharedSettings = z.input<typeof sharedSettingsSchema>;

/** A key (PEM) and its certificates (PEM, leaf first, no root). */
export interface Identity {
  key: string;
  certificates: string;
}

/** Where the partition table of our examples has it, and how large it is. */
export const nvsAt = 0x9000;
export const nvsBytes = 0x21000;
const nvsSizeSchema = z.coerce.number().int().multipleOf(4096);

/** Of flota/src/identity.h: two pairs of texts with their NULs; the second is the renewal under way, of which there is none. */
const [keyBytes, certificatesBytes] = [384, 4096];

/**
 * Reads what all devices share once, and returns what makes the image of one: with a one-time token, so that the device makes its key, or with
 * an identity. Throws ZodError, or what reading a file throws; the other throws NvsError too.
 */
export function openSettings(input: SharedSettings, size: string | number = nvsBytes) {
  const shared = sharedSettingsSchema.parse(input);
  const bytes = nvsSizeSchema.parse(size);
  const trust = z
    .string()
    .startsWith('-----BEGIN CERTIFICATE-----')
    .max(3967)
    .parse(readFileSync(shared.trust, 'utf8'));
  const { keys } = keySetSchema.parse(JSON.parse(readFileSync(shared.keys, 'utf8')));
  return (id: string, secret: { token: string } | Identity): Buffer => {
    const settings = {
      id: deviceIdSchema.parse(id),
      wifi_ssid: shared['wifi-ssid'],
      wifi_password: shared['wifi-password'],
      mqtt_url: shared.mqtt,
      enroll_url: shared.enroll,
      token: 'token' in secret ? z.string().min(1).max(128).parse(secret.token) : '',
      ntp: shared.ntp,
      ...Object.fromEntries(
        keys.flatMap(({ kid, x, y }, number) => [
          [`key${number}_kid`, kid],
          [`key${number}_xy`, x + y],
        ]),
      ),
      trust,
    };
    const entries: NvsEntries = { settings };
    if ('key' in secret) entries.flota = { identity: identityBlob(secret) };
    return nvsImage(bytes, entries);
  };
}

function identityBlob({ key, certificates }: Identity): Buffer {
  const fits = (text: string, room: number) =>
    z
      .string()
      .max(room - 1)
      .parse(text);
  const blob = Buffer.alloc(2 * (keyBytes + certificatesBytes));
  blob.write(fits(key, keyBytes), 0, 'latin1');
  blob.write(fits(certificates, certificatesBytes), keyBytes, 'latin1');
  return blob;
}

/** One line for people. */
export function describeProblem(error: unknown): string {
  if (!(error instanceof z.ZodError)) return (error as Error).message;
  return error.issues
    .map((issue) => [issue.path.join('.'), issue.message].filter(Boolean).join(': '))
    .join('; ');
}

const usage = `npx tsx firmware/esp-idf/settings.ts --id ID --wifi-ssid NAME [--wifi-password TEXT] --mqtt mqtts://HOST:8883
    --enroll https://HOST/api/issue_cert --token TOKEN --trust root.pem --keys firmware-keys.json [--ntp HOST]
    [--size 0x${nvsBytes.toString(16)}] --out settings.bin
  then  esptool.py --port PORT write_flash 0x${nvsAt.toString(16)} settings.bin
`;

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const names = ['id', 'token', 'size', 'out', ...Object.keys(sharedSettingsSchema.shape)];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean', short: 'h' } } });
    if (values.help) process.stdout.write(usage);
    else {
      const { id, token, size, out, ...shared } = values as Record<string, string>;
      const image = openSettings(shared as SharedSettings, size)(id ?? '', { token: token ?? '' });
      // It may hold the Wi-Fi password.
      putSecret(z.string({ error: '--out is needed' }).parse(out), image);
    }
  } catch (error) {
    process.stderr.write(`${describeProblem(error)}\n${usage}`);
    process.exitCode = 1;
  }
}
