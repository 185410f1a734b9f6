import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { S3Error } from './errors.ts';
import { parameter, type RequestTarget } from './request-target.ts';

export interface Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  region: string;
}

export interface SignedRequest {
  method: string;
  target: RequestTarget;
  /** Lower-case names; every header came once. */
  headers: ReadonlyMap<string, string>;
}

/** Where the signature's parts came from, already in one shape. */
interface Claim {
  credential: string;
  signedHeaders: string[];
  signature: string;
  /** YYYYMMDDTHHMMSSZ */
  timestamp: string;
  payloadHash: string;
  /** Without X-Amz-Signature. */
  query: [string, string][];
}

const algorithm = 'AWS4-HMAC-SHA256';
const maxSkewMs = 15 * 60_000;
const maxExpirySeconds = 7 * 86_400;
const unsigned = 'UNSIGNED-PAYLOAD';

/**
 * Checks AWS Signature Version 4, in the query or in the Authorization header, and returns what the signature says about the body:
 * `UNSIGNED-PAYLOAD` or the hex SHA-256 that the body must have.
 * @throws S3Error
 */
export function verifySignature(request: SignedRequest, credentials: Credentials, now: number): string {
  const { headers, target } = request;
  const inQuery = [...target.query.keys()].some((name) =>
    /^x-amz-(signature|algorithm|credential)$/i.test(name),
  );
  const inHeader = headers.has('authorization');
  if (inQuery && inHeader) throw new S3Error('InvalidArgument', 'Only one auth mechanism allowed');
  if (!inQuery && !inHeader) throw new S3Error('AccessDenied', 'Access Denied');
  if (headers.has('x-amz-security-token') || parameter(target.query, 'x-amz-security-token') !== undefined) {
    throw new S3Error('InvalidToken', 'The provided token is malformed or otherwise invalid.');
  }
  const claim = inQuery ? readQuery(target, headers, now) : readHeader(target, headers, now);
  checkScope(claim, credentials, inQuery);
  checkSignedHeaders(claim, headers);
  checkDigest(claim, request, credentials);
  return claim.payloadHash;
}

function readQuery(target: RequestTarget, headers: ReadonlyMap<string, string>, now: number): Claim {
  const take = (name: string): string => {
    const value = parameter(target.query, name);
    if (value) return value;
    throw malformedQuery(
      'Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.',
    );
  };
  if (take('x-amz-algorithm') !== algorithm)
    throw malformedQuery(`X-Amz-Algorithm only supports "${algorithm}"`);
  const timestamp = take('x-amz-date');
  const expires = take('x-amz-expires');
  if (!/^\d{1,6}$/.test(expires) || Number(expires) < 1 || Number(expires) > maxExpirySeconds) {
    throw malformedQuery('X-Amz-Expires must be from 1 to 604800 seconds');
  }
  const from = parseTimestamp(timestamp);
  if (from === undefined)
    throw malformedQuery("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
  if (from > now + maxSkewMs) throw new S3Error('AccessDenied', 'Request is not yet valid');
  const until = from + Number(expires) * 1000;
  if (now > until) {
    const details = { Expires: new Date(until).toISOString(), ServerTime: new Date(now).toISOString() };
    throw new S3Error('AccessDenied', 'Request has expired', { details });
  }
  return {
    credential: take('x-amz-credential'),
    signedHeaders: take('x-amz-signedheaders').split(';'),
    signature: take('x-amz-signature'),
    timestamp,
    payloadHash:
      parameter(target.query, 'x-amz-content-sha256') ?? headers.get('x-amz-content-sha256') ?? unsigned,
    query: [...target.query].filter(([name]) => name.toLowerCase() !== 'x-amz-signature'),
  };
}

function readHeader(target: RequestTarget, headers: ReadonlyMap<string, string>, now: number): Claim {
  const header = headers.get('authorization') ?? '';
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]+)$/.exec(
      header,
    );
  if (!match) throw new S3Error('InvalidArgument', 'Unsupported Authorization Type');
  const [, credential = '', signedHeaders = '', signature = ''] = match;
  const timestamp = headers.get('x-amz-date') ?? '';
  const at = parseTimestamp(timestamp);
  if (at === undefined) {
    throw new S3Error('AccessDenied', 'AWS authentication requires a valid Date or x-amz-date header');
  }
  if (Math.abs(now - at) > maxSkewMs) {
    throw new S3Error(
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    );
  }
  const payloadHash = headers.get('x-amz-content-sha256');
  if (payloadHash === undefined) {
    throw new S3Error('InvalidRequest', 'Missing required header for this request: x-amz-content-sha256');
  }
  return {
    credential,
    signedHeaders: signedHeaders.split(';'),
    signature,
    timestamp,
    payloadHash,
    query: [...target.query],
  };
}

function checkScope(claim: Claim, credentials: Credentials, inQuery: boolean): void {
  const malformed = (message: string) =>
    inQuery ? malformedQuery(message) : new S3Error('AuthorizationHeaderMalformed', message);
  const [accessKeyId = '', date, region, service, terminator, ...more] = claim.credential.split('/');
  if (more.length > 0 || terminator !== 'aws4_request') {
    throw malformed('The credential must look like "<access key>/YYYYMMDD/REGION/SERVICE/aws4_request"');
  }
  if (!equal(accessKeyId, credentials.accessKeyId)) {
    throw new S3Error(
      'InvalidAccessKeyId',
      'The AWS Access Key Id you provided does not exist in our records.',
    );
  }
  if (date !== claim.timestamp.slice(0, 8)) throw malformed("The credential's date is not the request's");
  if (region !== credentials.region) {
    throw malformed(`the region '${region}' is wrong; expecting '${credentials.region}'`);
  }
  if (service !== 's3') throw malformed(`incorrect service "${service}". This endpoint belongs to "s3".`);
}

/** A header that changes what a request means must be under the signature. */
function checkSignedHeaders(claim: Claim, headers: ReadonlyMap<string, string>): void {
  const signed = new Set(claim.signedHeaders);
  const unsignedNames = [...headers.keys()].filter(
    (name) => (name === 'host' || name.startsWith('x-amz-')) && !signed.has(name),
  );
  if (unsignedNames.length > 0) {
    const details = { HeadersNotSigned: unsignedNames.join(', ') };
    throw new S3Error('AccessDenied', 'There were headers present in the request which were not signed', {
      details,
    });
  }
  const missing = claim.signedHeaders.filter((name) => !headers.has(name));
  if (missing.length > 0) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      `The request lacks headers that were signed: ${missing.join(', ')}`,
    );
  }
}

function checkDigest(claim: Claim, request: SignedRequest, credentials: Credentials): void {
  const canonical = [
    request.method,
    encode(request.target.path).replaceAll('%2F', '/'),
    claim.query
      .map(([name, value]) => [encode(name), encode(value)] as const)
      .sort(([a, x], [b, y]) => compare(a, b) || compare(x, y))
      .map(([name, value]) => `${name}=${value}`)
      .join('&'),
    ...claim.signedHeaders.map(
      (name) => `${name}:${(request.headers.get(name) ?? '').trim().replace(/ +/g, ' ')}`,
    ),
    '',
    claim.signedHeaders.join(';'),
    claim.payloadHash,
  ].join('\n');
  const [, ...scope] = claim.credential.split('/');
  const text = [
    algorithm,
    claim.timestamp,
    scope.join('/'),
    createHash('sha256').update(canonical).digest('hex'),
  ].join('\n');
  const key = scope.reduce<string | Buffer>(
    (secret, part) => hmac(secret, part),
    `AWS4${credentials.secretAccessKey}`,
  );
  if (!equal(hmac(key, text).toString('hex'), claim.signature)) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
    );
  }
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Constant time: both sides are hashed first, so that neither length nor content shows. */
function equal(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** RFC 3986 §2.3: all but the unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function parseTimestamp(text: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text);
  if (!match) return undefined;
  const [, year, month, date, hour, minute, second] = match;
  const time = Date.parse(`${year}-${month}-${date}T${hour}:${minute}:${second}Z`);
  return Number.isNaN(time) ? undefined : time;
}

function malformedQuery(message: string): S3Error {
  return new S3Error('AuthorizationQueryParametersError', message);
}
