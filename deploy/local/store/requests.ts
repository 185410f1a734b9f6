import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { type ByteRange, parseRange } from './byte-range.ts';
import { S3Error } from './errors.ts';
import { alreadyThere, type ObjectInfo, type Objects } from './objects.ts';
import type { RequestTarget } from './request-target.ts';
import type { Uploads } from './uploads.ts';

export interface ObjectRequest {
  request: IncomingMessage;
  response: ServerResponse;
  target: RequestTarget & { key: string };
  /** `UNSIGNED-PAYLOAD` or hex SHA-256, from the signature. */
  payloadHash: string;
  /** A header, or the same name in the signed query, where presigners move x-amz-* headers. */
  header(name: string): string | undefined;
  objects: Objects;
  uploads: Uploads;
}

/** S3's limit for one PUT. */
const maxObjectBytes = 5 * 1024 ** 3;
const knownPutHeaders = new Set([
  'x-amz-algorithm',
  'x-amz-checksum-sha256',
  'x-amz-content-sha256',
  'x-amz-credential',
  'x-amz-date',
  'x-amz-expires',
  'x-amz-sdk-checksum-algorithm',
  'x-amz-signature',
  'x-amz-signedheaders',
  'x-amz-user-agent',
]);
const overrides = {
  'response-content-type': 'content-type',
  'response-content-disposition': 'content-disposition',
  'response-cache-control': 'cache-control',
} as const;

/** Of a body that is to be kept: its size, and what it must hash to. */
export function readPut({ request, target, payloadHash, header }: ObjectRequest) {
  const asked = [
    ...Object.keys(request.headers),
    ...[...target.query.keys()].map((name) => name.toLowerCase()),
  ];
  // Doing less than was asked, without a word, would make code pass here and fail on S3.
  const unknown = asked.find((name) => name.startsWith('x-amz-') && !knownPutHeaders.has(name));
  if (unknown || payloadHash.startsWith('STREAMING-')) {
    throw new S3Error('NotImplemented', `This store does not know ${unknown ?? payloadHash}`);
  }
  if (payloadHash !== 'UNSIGNED-PAYLOAD' && !/^[0-9a-f]{64}$/.test(payloadHash)) {
    throw new S3Error(
      'InvalidArgument',
      'x-amz-content-sha256 must be UNSIGNED-PAYLOAD or a valid sha256 value.',
    );
  }
  const length = request.headers['content-length'];
  if (length === undefined) {
    throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
  const sizeBytes = Number(length);
  if (sizeBytes > maxObjectBytes)
    throw new S3Error('EntityTooLarge', 'Your proposed upload exceeds the maximum size');
  return {
    sizeBytes,
    expected: {
      sha256Base64: digestHeader(header('x-amz-checksum-sha256'), 32),
      md5Base64: digestHeader(request.headers['content-md5'] as string | undefined, 16),
      sha256Hex: payloadHash === 'UNSIGNED-PAYLOAD' ? undefined : payloadHash,
    },
  };
}

/** Left early, the loop would destroy the socket that the refusal has to go through. */
export function bodyOf({ request, response }: ObjectRequest): AsyncIterable<Buffer> {
  if (/^100-continue$/i.test(request.headers.expect ?? '')) response.writeContinue();
  return request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
}

/** Whether the key must be new; no other condition is known. */
export function readCondition(request: IncomingMessage): boolean {
  const noneMatch = request.headers['if-none-match'];
  if ((noneMatch !== undefined && noneMatch !== '*') || request.headers['if-match'] !== undefined) {
    throw new S3Error('NotImplemented', 'This store knows no condition but If-None-Match: *');
  }
  return noneMatch === '*';
}

export async function putObject(work: ObjectRequest) {
  const { request, response, target, objects } = work;
  const asked = readPut(work);
  const onlyNew = readCondition(request);
  // Before the body is sent; publishing checks it again.
  if (onlyNew && (await objects.has(target.key))) throw alreadyThere();
  const info = await objects.put(bodyOf(work), {
    ...asked,
    key: target.key,
    contentType: contentTypeOf(request),
    onlyNew,
  });
  response.writeHead(200, { etag: etagOf(info), ...checksumOf(info), 'content-length': 0 });
  response.end();
}

/** GET and HEAD. */
export async function getObject({
  request,
  response,
  target,
  header,
  objects,
}: ObjectRequest): Promise<void> {
  const object = await objects.open(target.key);
  if (!object)
    throw new S3Error('NoSuchKey', 'The specified key does not exist.', { details: { Key: target.key } });
  try {
    const { info } = object;
    const headers: Record<string, string | number> = {
      etag: etagOf(info),
      'last-modified': new Date(info.modifiedAt).toUTCString(),
      'accept-ranges': 'bytes',
      'content-type': info.contentType,
    };
    for (const [name, replaced] of Object.entries(overrides)) {
      const value = target.query.get(name);
      if (value !== undefined) headers[replaced] = value;
    }
    if (isUnchanged(request, info)) {
      response.writeHead(304, headers);
      response.end();
      return;
    }
    const range = isRangeWanted(request, info) ? parseRange(request.headers.range, info.size) : undefined;
    const { start, end }: ByteRange = range ?? { start: 0, end: info.size - 1 };
    if (range) headers['content-range'] = `bytes ${start}-${end}/${info.size}`;
    else if (header('x-amz-checksum-mode')) Object.assign(headers, checksumOf(info));
    headers['content-length'] = end - start + 1;
    response.writeHead(range ? 206 : 200, headers);
    if (request.method === 'HEAD' || info.size === 0) response.end();
    else await pipeline(object.read(start, end), response);
  } finally {
    await object.close();
  }
}

export async function deleteObject({ response, target, objects }: ObjectRequest): Promise<void> {
  await objects.remove(target.key);
  response.writeHead(204);
  response.end();
}

/** RFC 9110 §13.2.2: If-Match, then If-None-Match. */
function isUnchanged(request: IncomingMessage, info: ObjectInfo): boolean {
  const { 'if-match': match, 'if-none-match': noneMatch } = request.headers;
  if (match !== undefined && !names(match, info)) {
    const details = { Condition: 'If-Match' };
    throw new S3Error('PreconditionFailed', 'At least one of the pre-conditions you specified did not hold', {
      details,
    });
  }
  return noneMatch !== undefined && names(noneMatch, info);
}

function names(header: string, info: ObjectInfo): boolean {
  return header.split(',').some((tag) => ['*', etagOf(info), info.md5].includes(tag.trim()));
}

/** RFC 9110 §13.1.5: with another ETag in If-Range, the whole object is sent. */
function isRangeWanted(request: IncomingMessage, info: ObjectInfo): boolean {
  const condition = request.headers['if-range'];
  return condition === undefined || condition === etagOf(info);
}

function digestHeader(value: string | undefined, bytes: number): string | undefined {
  if (value === undefined) return undefined;
  const decoded = Buffer.from(value, 'base64');
  if (decoded.length === bytes && decoded.toString('base64') === value) return value;
  throw new S3Error('InvalidDigest', 'The checksum you specified is not valid.');
}

export function contentTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'binary/octet-stream').slice(0, 256);
}

export function etagOf(info: ObjectInfo): string {
  return `"${info.md5}"`;
}

function checksumOf(info: ObjectInfo): Record<string, string> {
  return info.checksumSha256 === undefined ? {} : { 'x-amz-checksum-sha256': info.checksumSha256 };
}
