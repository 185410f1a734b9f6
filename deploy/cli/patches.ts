/** `flota patches`: what makes a firmware out of those that devices run, where no signer is at the server. */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { formatBytes } from '#deploy/local/progress.ts';
import { type SignedPatch, signPatches } from '#firmware/signing/patches.ts';
import { readPublicKeys } from '#firmware/signing/public-keys.ts';
import { type Flota, insist, type Schemas } from './client.ts';
import type { Command, Input } from './command.ts';
import { CliError } from './errors.ts';
import { readKey } from './firmware.ts';
import { table } from './output.ts';

type Patches = Schemas['Patches'];

const lookAgainMs = 1_000;
const patienceMs = 600_000;

const ofFirmware = (id: string) => ({ params: { path: { id } } });
const read = (flota: Flota, id: string) => insist(flota.GET('/api/firmware/{id}/patches', ofFirmware(id)));

function show(input: Input, patches: Patches): void {
  const rows = patches.items.map(({ base, baseFirmware, state, sizeBytes, error }) => [
    base
      ? baseFirmware
        ? `${baseFirmware.name} ${baseFirmware.version}`
        : base.slice(0, 16)
      : 'nothing (compressed)',
    state,
    sizeBytes === null ? '' : formatBytes(sizeBytes),
    sizeBytes === null ? '' : `${((sizeBytes / patches.sizeBytes) * 100).toFixed(1)} %`,
    error ?? '',
  ]);
  input.out.show(patches, table(['FROM', 'STATE', 'SIZE', 'OF IMAGE', 'ERROR'], rows));
}

export const list: Command = {
  name: 'patches list',
  operands: ['FIRMWARE'],
  summary: 'patches that make a firmware, by its id, and its compressed image',
  examples: [
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1',
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1 --json > patches.json',
  ],
  async run(input) {
    show(input, await read(input.flota(), input.operands[0]!));
  },
};

export const make: Command = {
  name: 'patches make',
  operands: ['FIRMWARE'],
  summary: 'have them made, and wait: from what devices run, or from the firmwares that are named',
  options: { from: { hint: 'FIRMWARE', help: 'id of a firmware that devices run', multiple: true } },
  examples: [
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1',
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1 --from a3c5a7f0-54a4-4d35-9d3f-6a6f5f6d7b10',
  ],
  async run(input) {
    const flota = input.flota();
    const id = input.operands[0]!;
    const from = input.all('from');
    const body = from.length ? { from } : {};
    let patches = await insist(flota.POST('/api/firmware/{id}/patches', { ...ofFirmware(id), body }));
    const until = Date.now() + patienceMs;
    while (patches.items.some(({ state }) => state === 'wanted')) {
      if (Date.now() > until)
        throw CliError.of(
          'patches_not_made',
          'The server has not made them in ten minutes.',
          'See flota patches list.',
        );
      await delay(lookAgainMs);
      patches = await read(flota, id);
    }
    show(input, patches);
  },
};

export const sign: Command = {
  name: 'patches sign',
  operands: ['FIRMWARE'],
  summary: 'sign those that wait for it, or bring in what was signed elsewhere',
  options: {
    key: { hint: 'PEM', help: 'sign here, with this key (FLOTA_SIGNING_KEY)' },
    keys: {
      hint: 'FILE',
      help: 'public keys, when the firmware itself is signed by another: PEM or a JSON Web Key Set',
    },
    in: { hint: 'FILE', help: 'what `npm run firmware -- sign-patches` has written on another machine' },
  },
  examples: [
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1 --key firmware-signing-key.pem',
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1 --in signed.json',
  ],
  async run(input) {
    const id = input.operands[0]!;
    const flota = input.flota();
    const signed = await readSigned(input, () => read(flota, id));
    let patches = signed.length === 0 ? await read(flota, id) : null;
    for (const body of signed)
      patches = await insist(flota.PUT('/api/firmware/{id}/patches/manifest', { ...ofFirmware(id), body }));
    show(input, patches!);
    input.out.note(`${signed.length} signed.`);
  },
};

async function readSigned(input: Input, told: () => Promise<Patches>): Promise<SignedPatch[]> {
  const file = input.text('in');
  if (file !== undefined) return readFile(file);
  const key = await readKey(input.text('key') ?? input.out.terminal.env.FLOTA_SIGNING_KEY);
  if (!key) throw CliError.of('usage', '--key or --in is needed', 'See flota patches sign --help');
  const keys = input.text('keys');
  const trusted = keys === undefined ? undefined : { keys: await readPublicKeys(readFileSync(keys, 'utf8')) };
  const patches = await told();
  return signPatches(patches, key, trusted).catch((error: Error) => {
    throw CliError.of('patches_not_signed', `Nothing is signed: ${error.message}.`);
  });
}

function readFile(path: string): SignedPatch[] {
  const isSigned = (it: unknown): it is SignedPatch =>
    typeof (it as SignedPatch | null)?.manifest === 'string' && 'base' in (it as object);
  try {
    const signed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (Array.isArray(signed) && signed.every(isSigned)) return signed;
  } catch (error) {
    throw CliError.of('file_unreadable', `${path}: ${(error as Error).message}`);
  }
  throw CliError.of(
    'file_unreadable',
    `${path} holds no signed patches`,
    'Make it with npm run firmware -- sign-patches.',
  );
}
