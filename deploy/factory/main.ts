/** `npm run factory`: from a CSV to devices that need nothing but their firmware. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { parseArgs } from 'node:util';
import { readEnv, toConfig } from '#ca/config.ts';
import { provisionFromCsv } from '#ca/provision-command.ts';
import {
  describeProblem,
  nvsAt,
  nvsBytes,
  openSettings,
  type SharedSettings,
  sharedSettingsSchema,
} from '#firmware/esp-idf/settings.ts';

const size = `0x${nvsBytes.toString(16)}`;
const help = `npm run factory -- [options]      keys, certificates, registrations and one NVS image a device, on the machine that holds the CA

  --csv FILE            a header and a line for each device: id, and any of hardware, name, region, division, csr
  --out DIR             DIR/<id>/nvs.bin (with key.pem and cert.pem), DIR/manifest.csv, DIR/ca.pem
  --url URL             registers the devices at this webhook (needs hardware, and FLOTA_API_TOKEN)
  --mqtt URL            mqtts://HOST:8883, for the devices
  --enroll URL          https://HOST/api/issue_cert, should a device ever need to enrol again
  --trust FILE          PEM: roots of broker, API and file store
  --keys FILE           firmware-keys.json of npm run firmware -- keygen
  --wifi-ssid NAME      and --wifi-password TEXT
  --ntp HOST            (pool.ntp.org)
  --size BYTES          of the partition nvs (${size})
  --dir DIR             the authority's directory (CA_DIR, or .flota/ca)
  --help

Stopped or killed, the same command goes on where it was; an image that is there is left as it is. Flash each with
  esptool.py --port PORT write_flash 0x${nvsAt.toString(16)} DIR/<id>/nvs.bin
A device that made its own key (csr) gets its certificate and no image: its key lies in the partition that an image would overwrite.
`;

async function run(args: string[]): Promise<void> {
  const names = ['csv', 'out', 'url', 'size', 'dir', ...Object.keys(sharedSettingsSchema.shape)];
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ args, options: { ...options, help: { type: 'boolean', short: 'h' } } });
  if (values.help) return void process.stdout.write(help);
  const { csv, out, url, size: bytes, dir, ...shared } = values as Record<string, string>;
  const imageOf = openSettings(shared as SharedSettings, bytes);
  const config = toConfig(readEnv());
  await provisionFromCsv(
    { ...config, dir: dir ?? config.dir },
    { csv, out, url, apiToken: config.apiToken, extra: { name: 'nvs.bin', make: imageOf } },
  );
}

run(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`factory: ${describeProblem(error)} (see --help)\n`);
  process.exitCode = 1;
});
