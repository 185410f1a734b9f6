import type { IncomingMessage, ServerResponse } from 'node:http';
import { S3Error } from './errors.ts';

const methods = ['GET', 'HEAD', 'PUT', 'DELETE'];
const exposed = 'ETag, Content-Length, Content-Range, Accept-Ranges, x-amz-request-id, x-amz-checksum-sha256';

/** Lets pages of these origins read the answer, errors too. False when the request's origin is not one of them. */
export function allowOrigin(
  request: IncomingMessage,
  response: ServerResponse,
  origins: readonly string[] | '*',
): boolean {
  const { origin } = request.headers;
  if (origin === undefined) return false;
  response.setHeader('vary', 'Origin, Access-Control-Request-Method, Access-Control-Request-Headers');
  if (origins !== '*' && !origins.includes(origin)) return false;
  response.setHeader('access-control-allow-origin', origins === '*' ? '*' : origin);
  response.setHeader('access-control-expose-headers', exposed);
  return true;
}

/** A preflight carries no signature; it only says what the signed request may look like. */
export function answerPreflight(request: IncomingMessage, response: ServerResponse, allowed: boolean): void {
  const method = request.headers['access-control-request-method'];
  if (!allowed || method === undefined || !methods.includes(method)) {
    throw new S3Error('AccessForbidden', 'CORSResponse: This CORS request is not allowed.');
  }
  const headers = request.headers['access-control-request-headers'];
  response.setHeader('access-control-allow-methods', methods.join(', '));
  if (headers !== undefined) response.setHeader('access-control-allow-headers', headers);
  response.setHeader('access-control-max-age', '3000');
  response.writeHead(200, { 'content-length': 0 });
  response.end();
}
