import { S3Error } from './errors.ts';

export interface RequestTarget {
  bucket: string;
  /** Undefined when the bucket itself is meant. Any text: it never becomes a path. */
  key: string | undefined;
  /** Decoded path, with its leading slash. */
  path: string;
  /** Decoded parameters in the order they came. */
  query: ReadonlyMap<string, string>;
}

const maxKeyBytes = 1024;

/**
 * Takes a path-style request target apart as it came over the wire. A URL parser would resolve `..` and `%2e%2e`, and the
 * signature is over what was sent.
 * @throws S3Error InvalidURI | InvalidArgument | KeyTooLongError
 */
export function parseTarget(target: string): RequestTarget {
  if (!target.startsWith('/')) throw new S3Error('InvalidURI', "Couldn't parse the specified URI.");
  const mark = target.indexOf('?');
  const path = decode(mark === -1 ? target : target.slice(0, mark));
  const query = parseQuery(mark === -1 ? '' : target.slice(mark + 1));
  const slash = path.indexOf('/', 1);
  const bucket = slash === -1 ? path.slice(1) : path.slice(1, slash);
  const key = slash === -1 ? '' : path.slice(slash + 1);
  if (Buffer.byteLength(key) > maxKeyBytes) throw new S3Error('KeyTooLongError', 'Your key is too long');
  return { bucket, key: key === '' ? undefined : key, path, query };
}

function parseQuery(text: string): Map<string, string> {
  const query = new Map<string, string>();
  const seen = new Set<string>();
  for (const pair of text.split('&').filter(Boolean)) {
    const equals = pair.indexOf('=');
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    // A second value could be read by one party and signed by the other.
    if (seen.has(name.toLowerCase()))
      throw new S3Error('InvalidArgument', `The parameter ${name} is there twice`);
    seen.add(name.toLowerCase());
    query.set(name, equals === -1 ? '' : decode(pair.slice(equals + 1)));
  }
  return query;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new S3Error('InvalidURI', "Couldn't parse the specified URI.");
  }
}

/** A parameter by its name in any case, as S3 reads X-Amz-*. */
export function parameter(query: ReadonlyMap<string, string>, name: string): string | undefined {
  for (const [key, value] of query) if (key.toLowerCase() === name) return value;
  return undefined;
}
