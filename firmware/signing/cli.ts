/** `npm run firmware`: the firmware signing key, kept away from the machines that serve, and the component for devices. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { manifestSchema } from '#emqx/protocol.ts';
import { packComponent, packLibrary } from '../esp-idf/pack.ts';
import { makeKey, openKey } from './key.ts';
import { signPatches } from './patches.ts';
import { maxKeys, readPublicKeys, toPem } from './public-keys.ts';

const help = `Usage: npm run firmware -- <command> [options]

  keygen --out DIR      makes firmware-signing-key.pem (keep it offline) and firmware-keys.json (what FIRMWARE_KEYS names, and
                        what devices are built with)
  sign --key KEY.pem --file IMAGE --version V --hardware H [--component main] [--security-version 0] [--name FILENAME] [--sbom FILE]
                        prints the signed manifest of an image: bring it in with
                        PUT /api/firmware/<id>/manifest {"manifest": "…"}. Give what the firmware was registered with; FILENAME
                        is the image's own name unless given. With --sbom its digest is signed as well.
  sign-patches --key KEY.pem --in PATCHES.json [--keys SET.json]
                        prints the signed manifests of the patches that \`flota patches list FIRMWARE --json\` has written: bring them in with
                        \`flota patches sign FIRMWARE --in FILE\`. Signed are only patches that make an image which KEY, or one of SET, has signed.
  keys FILE… [--pem]    prints the public keys of PEM files (private or public keys, certificates) and JSON Web Key Sets as one set, for
                        FIRMWARE_KEYS and devices; with --pem as PEM. Give the present key and the next one to rotate.
  pack --out DIR        writes flota-<version>.tgz, the ESP-IDF component with the agent in it, to unpack into components/ of any
                        project, and flota-arduino-<version>.tgz, the same for Arduino-ESP32 and PlatformIO
`;

async function run(args: string[]): Promise<void> {
  const { positionals, values } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      key: { type: 'string' },
      file: { type: 'string' },
      name: { type: 'string' },
      version: { type: 'string' },
      hardware: { type: 'string' },
      component: { type: 'string', default: 'main' },
      sbom: { type: 'string' },
      'security-version': { type: 'string', default: '0' },
      pem: { type: 'boolean' },
      in: { type: 'string' },
      keys: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  const need = (name: 'out' | 'key' | 'file' | 'version' | 'hardware' | 'in'): string => {
    const value = values[name];
    if (!value) throw new Error(`--${name} is needed; see --help`);
    return value;
  };
  if (values.help || positionals.length === 0) process.stdout.write(help);
  else if (positionals[0] === 'keygen') await keygen(need('out'));
  else if (positionals[0] === 'keys')
    process.stdout.write(await convertKeys(positionals.slice(1), values.pem ?? false));
  else if (positionals[0] === 'pack')
    process.stdout.write(`${packComponent(need('out'))}\n${packLibrary(need('out'))}\n`);
  else if (positionals[0] === 'sign-patches') {
    const key = await openKey(readFileSync(need('key'), 'utf8'));
    const told: unknown = JSON.parse(readFileSync(need('in'), 'utf8'));
    const trusted = values.keys && { keys: await readPublicKeys(readFileSync(values.keys, 'utf8')) };
    process.stdout.write(`${JSON.stringify(await signPatches(told, key, trusted || undefined), null, 2)}\n`);
  } else if (positionals[0] === 'sign') {
    const file = need('file');
    const manifest = manifestSchema.safeParse({
      component: values.component,
      hardware: need('hardware'),
      version: need('version'),
      securityVersion: Number(values['security-version']),
      fileName: values.name ?? basename(file),
      size: statSync(file).size,
      sha256: await digest(file),
      ...(values.sbom !== undefined && { sbom: await digest(values.sbom) }),
    });
    if (!manifest.success) {
      throw new Error(manifest.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; '));
    }
    const key = await openKey(readFileSync(need('key'), 'utf8'));
    process.stdout.write(`${await key.sign(manifest.data)}\n`);
  } else throw new Error(`there is no command ${positionals[0]}; see --help`);
}

async function keygen(dir: string): Promise<void> {
  const pem = makeKey();
  const { publicKeys, kid } = await openKey(pem);
  // An existing key is never written over: devices may trust it.
  writeFileSync(join(dir, 'firmware-signing-key.pem'), pem, { mode: 0o600, flag: 'wx' });
  writeFileSync(join(dir, 'firmware-keys.json'), `${JSON.stringify(publicKeys, null, 2)}\n`, { flag: 'wx' });
  process.stdout.write(`kid ${kid}\n`);
}

async function convertKeys(files: string[], pem: boolean): Promise<string> {
  if (files.length === 0) throw new Error('keys needs a file; see --help');
  const read = async (file: string) =>
    readPublicKeys(readFileSync(file, 'utf8')).catch((error: Error) => {
      throw new Error(`${file}: ${error.message.split('\n')[0]}`);
    });
  const keys = new Map((await Promise.all(files.map(read))).flat().map((key) => [key.kid, key]));
  if (keys.size > maxKeys) throw new Error(`these are ${keys.size} keys, and devices keep ${maxKeys}`);
  if (pem) return [...keys.values()].map(toPem).join('');
  return `${JSON.stringify({ keys: [...keys.values()] }, null, 2)}\n`;
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

run(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`firmware: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
