/** The requests of an upload in parts: begun, its parts put and listed, completed or aborted. */
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { escapeXml, S3Error } from './errors.ts';
import { bodyOf, contentTypeOf, etagOf, type ObjectRequest, readCondition, readPut } from './requests.ts';

/** Ten thousand parts, as the SDKs write them. */
const maxBodyBytes = 2 * 1024 ** 2;
const maxParts = 10_000;

export async function serveMultipart(work: ObjectRequest): Promise<void> {
  const { request, response, target, uploads } = work;
  const { key, bucket, query } = target;
  const { method } = request;
  const names = { Bucket: bucket, Key: key };
  if (query.has('uploads')) {
    if (method !== 'POST') throw new S3Error('NotImplemented', 'This store lists no uploads');
    const UploadId = await uploads.begin({ key, contentType: contentTypeOf(request) });
    return sendXml(response, 'InitiateMultipartUploadResult', write({ ...names, UploadId }));
  }
  const upload = { key, id: query.get('uploadId')! };
  if (method === 'PUT') {
    const [number, asked] = [readNumber(query.get('partNumber')), readPut(work)];
    const info = await uploads.putPart(upload, number, bodyOf(work), asked);
    response.writeHead(200, { etag: etagOf(info), 'content-length': 0 });
    response.end();
  } else if (method === 'GET') {
    const parts = (await uploads.list(upload)).map(({ number, info }) => {
      const { size, modifiedAt } = info;
      return `<Part>${write({ PartNumber: number, LastModified: modifiedAt, ETag: etagOf(info), Size: size })}</Part>`;
    });
    const about = write({ ...names, UploadId: upload.id, MaxParts: maxParts, IsTruncated: false });
    sendXml(response, 'ListPartsResult', about + parts.join(''));
  } else if (method === 'POST') {
    const onlyNew = readCondition(request);
    const info = await uploads.complete(upload, readParts(await readBody(work)), onlyNew);
    sendXml(response, 'CompleteMultipartUploadResult', write({ ...names, ETag: etagOf(info) }));
  } else if (method === 'DELETE') {
    await uploads.abort(upload);
    response.writeHead(204);
    response.end();
  } else throw new S3Error('MethodNotAllowed', 'The specified method is not allowed against this resource.');
}

function readNumber(text: string | undefined): number {
  const number = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  if (number >= 1 && number <= maxParts) return number;
  throw new S3Error('InvalidArgument', `Part number must be an integer between 1 and ${maxParts}, inclusive`);
}

async function readBody(work: ObjectRequest): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyOf(work)) {
    size += chunk.length;
    if (size > maxBodyBytes) throw malformed();
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks);
  const { payloadHash } = work;
  if (payloadHash !== 'UNSIGNED-PAYLOAD' && createHash('sha256').update(body).digest('hex') !== payloadHash)
    throw new S3Error(
      'XAmzContentSHA256Mismatch',
      "The provided 'x-amz-content-sha256' header does not match what was computed.",
    );
  return body.toString('utf8');
}

function readParts(xml: string): { number: number; etag: string }[] {
  const parts = [...xml.matchAll(/<Part>(.*?)<\/Part>/gs)].map(([, part = '']) => ({
    number: Number(/<PartNumber>(\d+)<\/PartNumber>/.exec(part)?.[1]),
    etag: /<ETag>(?:"|&quot;)?([0-9a-f]+)(?:"|&quot;)?<\/ETag>/.exec(part)?.[1] ?? '',
  }));
  if (parts.length === 0) throw malformed();
  return parts;
}

function malformed(): S3Error {
  return new S3Error('MalformedXML', 'The XML you provided was not well-formed or did not validate.');
}

function write(elements: Record<string, string | number | boolean>): string {
  return Object.entries(elements)
    .map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`)
    .join('');
}

function sendXml(response: ServerResponse, root: string, content: string): void {
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<${root} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${content}</${root}>`;
  response.writeHead(200, { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(xml) });
  response.end(xml);
}
