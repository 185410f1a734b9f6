/** A firmware file on this machine: what it says of itself, its size and its digest, before anything is sent. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Manifest } from '#emqx/protocol.ts';
import {
  findImageProblems,
  hardwareOf,
  headBytes,
  maxFirmwareBytes,
  readImage,
  tellImageProblem,
} from '#webhook/firmware/image.ts';
import { CliError } from './errors.ts';

export type ImageFile = Omit<Manifest, 'fileName' | 'size'> & { sizeBytes: number };
type Asked = { [K in 'version' | 'hardware' | 'component']: string | undefined } & {
  securityVersion: number | undefined;
};

export async function readImageFile(path: string, asked: Asked): Promise<ImageFile> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    return await examine(path, file, asked);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw CliError.of('file_unreadable', `${path} cannot be read: ${(error as Error).message}`);
  } finally {
    await file?.close();
  }
}

async function examine(path: string, file: FileHandle, asked: Asked): Promise<ImageFile> {
  const { size: sizeBytes } = await file.stat();
  if (sizeBytes > maxFirmwareBytes)
    throw CliError.of('object_too_large', `${path} is larger than ${maxFirmwareBytes} bytes.`);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headBytes), 0, headBytes, 0);
  if (bytesRead === 0) throw CliError.of('object_empty', `${path} is empty.`);
  const image = readImage(buffer.subarray(0, bytesRead));
  const version = asked.version ?? image.version;
  const [problem] = findImageProblems(image, { version: version ?? '', hardware: asked.hardware });
  if (problem) throw CliError.of(problem.code, `${path}: ${tellImageProblem(problem)}`);
  if (!version)
    throw CliError.of(
      'image_version_unknown',
      `${path} does not say its version.`,
      'Give it: --version 1.2.3',
    );
  const hash = createHash('sha256');
  for await (const chunk of file.createReadStream({ start: 0, autoClose: false }))
    hash.update(chunk as Buffer);
  return {
    version,
    hardware: asked.hardware ?? hardwareOf(image) ?? 'esp32-s3',
    component: asked.component ?? (image.chip === 'avr' ? 'uno' : 'main'),
    securityVersion: asked.securityVersion ?? image.securityVersion ?? 0,
    sizeBytes,
    sha256: hash.digest('hex'),
  };
}
