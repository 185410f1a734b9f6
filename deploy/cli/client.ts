/** The client of the API, generated from its OpenAPI document (`api.ts`), with our errors. */
import createClient from 'openapi-fetch';
import type { components, paths } from './api.ts';
import { CliError, toUnreachable } from './errors.ts';

export type Schemas = components['schemas'];
export type NewDeployment = paths['/api/deployments']['post']['requestBody']['content']['application/json'];
export interface Flota extends ReturnType<typeof createFlota> {}
const answerMaxMs = 60_000;

/** `url` has no slash at its end. Every call throws CliError where no answer of a Flota came. */
export function createFlota(
  url: string,
  headers: Record<string, string>,
  warn = (_line: string): void => {},
) {
  const warned = new Set<string>();
  const client = createClient<paths>({
    ...{ baseUrl: url, headers },
    async fetch(request) {
      const response = await ask(request);
      const line = tellDeprecated(request, response);
      if (line && !warned.has(line)) warn(line);
      if (line) warned.add(line);
      return response;
    },
  });
  return { ...client, url, headers };
}

/** Of what is to go (RFC 9745, 8594), a line for whoever keeps the script. */
function tellDeprecated({ method, url }: Request, { headers }: Response): string | null {
  if (!headers.has('deprecation')) return null;
  const docs = /<([^>]*)>; *rel="deprecation"/.exec(headers.get('link') ?? '')?.[1];
  const until = headers.get('sunset');
  return [
    `${method} ${new URL(url).pathname} is deprecated`,
    until && `, and goes after ${until}`,
    docs && `: ${new URL(docs, url).href}`,
    '. Is there a newer flota?',
  ]
    .filter(Boolean)
    .join('');
}

async function ask(request: Request): Promise<Response> {
  const response = await send(request, { signal: AbortSignal.timeout(answerMaxMs) });
  const type = response.headers.get('content-type') ?? '';
  if (response.status !== 204 && !/^application\/(problem\+)?json/.test(type))
    throw CliError.of(
      'not_flota',
      `${new URL(request.url).host} returned ${response.status} ${type || 'without a type'}, which Flota does not.`,
      'Is --url (FLOTA_URL) the address of the console, without a path?',
    );
  return response;
}

/** As fetch, with our errors; a redirect is one, since it would turn a POST into a GET and lose the token. */
export async function send(input: Request | string, init: RequestInit): Promise<Response> {
  const url = typeof input === 'string' ? input : input.url;
  const response = await fetch(input, { ...init, redirect: 'manual' }).catch((error: unknown) => {
    throw toUnreachable(url, error);
  });
  const location = response.headers.get('location');
  if (response.status >= 300 && response.status < 400)
    throw CliError.of(
      'redirected',
      `${new URL(url).origin} sends elsewhere: ${location}`,
      location ? `Give that address: --url ${new URL(location, url).origin}` : undefined,
    );
  return response;
}

/** The good answer's body; a problem is thrown. */
export async function insist<T>(
  asked: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<T> {
  const { data, error, response } = await asked;
  if (response.ok) return data as T;
  const { code = 'unknown', detail = response.statusText } = (error ?? {}) as Partial<Schemas['Problem']>;
  throw CliError.refused(response.status, code, detail);
}
