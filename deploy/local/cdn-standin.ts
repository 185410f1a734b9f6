/** For tests only: a CDN that checks a signed address as CloudFront does, and reads from an origin what passes. */
import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { createSecureContext, type SecureContext } from 'node:tls';
import { listen } from '../lab/primitives/listen.ts';

export interface CdnStandin {
  url: string;
  /** Status and path of each answer. */
  answers: { status: number; path: string; range: string | undefined }[];
  /** Its certificate, which may come from an authority that starts after it. */
  present(pair: { key: string; cert: string }): void;
  close(): Promise<void>;
}

/** `keys`: PEM by key-pair id. `origin` answers where an object is, for the CDN alone. */
export async function startCdn(
  keys: Record<string, string>,
  origin: (key: string) => Promise<string>,
): Promise<CdnStandin> {
  const group = new Map(Object.entries(keys).map(([id, pem]) => [id, createPublicKey(pem)]));
  const answers: CdnStandin['answers'] = [];
  let context: SecureContext | undefined;
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const address = new URL(`https://${request.headers.host}${request.url}`);
    const { range } = request.headers;
    const allowed = request.method === 'GET' && isSigned(address, request.url!, request.headers.host!, group);
    const found = allowed
      ? await fetch(await origin(decodeURIComponent(address.pathname.slice(1))), {
          headers: range ? { range } : {},
        })
      : null;
    answers.push({ status: found?.status ?? 403, path: address.pathname, range });
    if (!found) return response.writeHead(403).end('<Error><Code>AccessDenied</Code></Error>');
    const passed = ['content-length', 'content-range', 'content-type', 'etag', 'accept-ranges'];
    const headers = passed.flatMap((name) =>
      found.headers.has(name) ? [[name, found.headers.get(name)!]] : [],
    );
    response.writeHead(found.status, Object.fromEntries(headers));
    return response.end(Buffer.from(await found.arrayBuffer()));
  };
  const server: Server = createServer(
    { SNICallback: (_name, done) => done(context ? null : new Error('no certificate yet'), context) },
    // An origin that is away ends the connection and nothing else.
    (request, response) => void answer(request, response).catch(() => response.destroy()),
  );
  const port = await listen(server);
  return {
    url: `https://localhost:${port}`,
    answers,
    present: (pair) => {
      context = createSecureContext(pair);
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/**
 * "Creating a signed URL using a canned policy", CloudFront's developer guide: the policy is rebuilt from the address as it came, without
 * CloudFront's own parameters, and the signature is checked over that text.
 */
function isSigned(
  address: URL,
  target: string,
  host: string,
  group: ReadonlyMap<string, KeyObject>,
): boolean {
  const given = address.searchParams;
  const key = group.get(given.get('Key-Pair-Id') ?? '');
  const expires = Number(given.get('Expires'));
  if (!key || !Number.isInteger(expires) || expires * 1000 <= Date.now()) return false;
  const own = ['Expires', 'Signature', 'Key-Pair-Id', 'Hash-Algorithm'];
  if ([...given.keys()].some((name) => !own.includes(name))) return false;
  const resource = `https://${host}${target.split('?')[0]}`;
  const policy = `{"Statement":[{"Resource":"${resource}","Condition":{"DateLessThan":{"AWS:EpochTime":${expires}}}}]}`;
  const text = (given.get('Signature') ?? '').replaceAll('-', '+').replaceAll('_', '=').replaceAll('~', '/');
  const hash = given.get('Hash-Algorithm') ?? 'SHA1';
  return verify(
    hash,
    Buffer.from(policy),
    { key, padding: key.asymmetricKeyType === 'rsa' ? constants.RSA_PKCS1_PADDING : undefined },
    Buffer.from(text, 'base64'),
  );
}
