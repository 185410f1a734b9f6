/** `flota firmware`: uploads, and the list; and which firmware `deploy` means. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { formatBytes } from '#deploy/local/progress.ts';
import { openKey, type SigningKey } from '#firmware/signing/key.ts';
import { type Flota, insist, type Schemas } from './client.ts';
import type { Command, Input } from './command.ts';
import { readDocument } from './cve.ts';
import { CliError } from './errors.ts';
import { type ImageFile, readImageFile } from './image-file.ts';
import { table } from './output.ts';
import { uploadFile } from './upload.ts';

type Firmware = Schemas['Firmware'];

export async function findFirmwares(flota: Flota, search?: string): Promise<Firmware[]> {
  const query = search === undefined ? {} : { search };
  const found = await insist(flota.GET('/api/firmwares/metadata', { params: { query } }));
  return Array.isArray(found) ? found : found.items;
}

export const list: Command = {
  name: 'firmware list',
  summary: 'firmwares, newest first',
  options: { search: { hint: 'TEXT', help: 'only those with this in name or version' } },
  examples: ['', '--search 2.1 --json'],
  async run(input) {
    const found = await findFirmwares(input.flota(), input.text('search'));
    const rows = found.map((f) => [
      f.id,
      f.version,
      f.fileName,
      f.hardware,
      f.component,
      formatBytes(f.sizeBytes),
      f.signed ? 'signed' : 'not signed',
      f.createdAt,
    ]);
    input.out.show(
      found,
      table(['ID', 'VERSION', 'FILE', 'HARDWARE', 'COMPONENT', 'SIZE', 'SIGNED', 'SINCE'], rows),
    );
  },
};

export const upload: Command = {
  name: 'firmware upload',
  operands: ['FILE'],
  summary:
    'register an image; one that is there already stays as it is, an upload that broke off goes on where it stood',
  options: {
    version: { hint: 'V', help: 'default: what the image says' },
    hardware: { hint: 'H', help: 'default: what the image says, else esp32-s3' },
    component: { hint: 'C', help: 'default: main; uno for a program of an Arduino Uno' },
    'security-version': {
      hint: 'N',
      help: 'devices never go back behind it (default: what the image says, else 0)',
    },
    key: { hint: 'PEM', help: 'sign here, with this key (FLOTA_SIGNING_KEY); default: the server signs' },
    sbom: { hint: 'FILE', help: 'what it is made of: CycloneDX or SPDX as JSON, or SPDX as tag-value' },
    vex: { hint: 'FILE', help: 'what is judged of its vulnerabilities: OpenVEX or CycloneDX, as JSON' },
    notes: { hint: 'TEXT', help: 'release notes' },
    name: { hint: 'TEXT', help: 'what people call it (default: the name of the file)' },
    'file-name': { hint: 'NAME', help: 'default: the name of the file' },
  },
  examples: [
    'build/app.bin',
    'app.bin --version 9.9.9 --hardware esp32-s3',
    'build/app.bin --key firmware-signing-key.pem --json',
    'build/app.bin --sbom build/sbom.spdx',
  ],
  async run(input) {
    const [file] = input.operands;
    const key = await readKey(input.text('key') ?? input.out.terminal.env.FLOTA_SIGNING_KEY);
    const image = await readImageFile(file!, {
      version: input.text('version'),
      hardware: input.text('hardware'),
      component: input.text('component'),
      securityVersion: input.parsed('security-version', readSecurityVersion),
    });
    const fileName = input.text('file-name') ?? basename(file!);
    const sbom = await readGiven(input.text('sbom'));
    const vex = await readGiven(input.text('vex'));
    const flota = input.flota();
    const { firmware, isNew } = await register(flota, file!, image, fileName, input);
    const sbomSha256 = sbom && (await sendSbom(flota, firmware.id, sbom));
    if (vex) await sendVex(flota, firmware.id, vex);
    const isUnsigned = isNew || !firmware.signed || sbomSha256 !== undefined;
    const signed =
      key && isUnsigned ? await sign(flota, firmware.id, image, fileName, key, sbomSha256) : firmware;
    const { id, version, hardware } = signed;
    input.out.show(
      signed,
      `${isNew ? 'Registered' : 'There already'}: ${fileName} ${version} for ${hardware}, ${id}`,
    );
    if (!signed.signed)
      input.out.note(
        'Not signed yet, so it cannot be deployed: upload it again with --key, or see `npm run firmware -- sign`.',
      );
  },
};

async function register(flota: Flota, file: string, image: ImageFile, fileName: string, input: Input) {
  const { version, hardware, component, securityVersion, sha256, sizeBytes } = image;
  // So that a run that was broken off, or is repeated, goes on where it was.
  const known = (await findFirmwares(flota, version)).find(
    (f) => f.version === version && f.fileName === fileName,
  );
  if (known?.sha256 === sha256 && known.hardware === hardware && known.component === component)
    return { firmware: known, isNew: false };
  const s3Path = await uploadFile(flota, file, { version, fileName, sizeBytes, sha256 }, input.out);
  const [name, releaseNote] = [input.text('name'), input.text('notes') ?? ''];
  const body = {
    version,
    fileName,
    s3Path,
    releaseNote,
    hardware,
    component,
    securityVersion,
    ...(name && { name }),
  };
  return { firmware: await insist(flota.POST('/api/firmwares/metadata', { body })), isNew: true };
}

/** Over what is in the file here and was asked for here, and nothing that the server said. */
async function sign(
  flota: Flota,
  id: string,
  image: ImageFile,
  fileName: string,
  key: SigningKey,
  sbom: string | undefined,
): Promise<Firmware> {
  const { sizeBytes: size, ...claims } = image;
  const manifest = await key.sign({ ...claims, size, fileName, ...(sbom && { sbom }) });
  return insist(flota.PUT('/api/firmware/{id}/manifest', { params: { path: { id } }, body: { manifest } }));
}

async function readGiven(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : readDocument(path);
}

/** Its digest, of the bytes that are here. */
async function sendSbom(flota: Flota, id: string, content: Buffer): Promise<string> {
  await insist(flota.PUT('/api/firmware/{id}/sbom', { params: { path: { id } }, ...octets(content) }));
  return createHash('sha256').update(content).digest('hex');
}

async function sendVex(flota: Flota, id: string, content: Buffer): Promise<void> {
  await insist(flota.POST('/api/firmware/{id}/vex', { params: { path: { id } }, ...octets(content) }));
}

function octets(content: Buffer) {
  return {
    // The generator knows bytes as text.
    body: content as unknown as string,
    bodySerializer: () => content as unknown as string,
    headers: { 'content-type': 'application/octet-stream' },
  };
}

export async function readKey(file: string | undefined): Promise<SigningKey | null> {
  if (!file) return null;
  try {
    return await openKey(readFileSync(file, 'utf8'));
  } catch (error) {
    throw CliError.of(
      'key_invalid',
      `${file} cannot be used to sign: ${(error as Error).message}`,
      'It must be a PEM file with a P-256 private key: npm run firmware -- keygen --out DIR',
    );
  }
}

function readSecurityVersion(text: string): number {
  if (!/^\d{1,10}$/.test(text) || Number(text) >= 2 ** 31)
    throw new Error(`"${text}" is not a whole number below 2147483648`);
  return Number(text);
}
