/** A client of our own API: the calls that the console makes, for everything that starts a Flota or talks to one. Its types are the webhook's own. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { hc, type InferRequestType, type InferResponseType } from 'hono/client';
import type { SigningKey } from '#firmware/signing/key.ts';
import type { App } from '#webhook/app.ts';

export type Rest = ReturnType<typeof createRest>;
export type Deployment = InferResponseType<Rest['api']['deployments']['$post'], 201>;
export type DeploymentOrder = InferRequestType<Rest['api']['deployments']['$post']>['json'];
export type Target = InferResponseType<
  Rest['api']['deployments'][':id']['targets']['$get'],
  200
>['items'][number];
export type Firmware = InferResponseType<Rest['api']['firmwares']['metadata']['$post'], 201>;

const answerMaxMs = 60_000;

export function createRest(url: string, apiToken: string) {
  return hc<App>(url, {
    // Compressed answers would cost both sides more than they save.
    headers: { authorization: `Bearer ${apiToken}`, 'accept-encoding': 'identity' },
    async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
      try {
        return await fetch(input, { ...init, signal: AbortSignal.timeout(answerMaxMs) });
      } catch (error) {
        const { message, cause } = error as Error;
        const why = cause instanceof Error ? cause.message : message;
        throw new RestError(0, 'unreachable', `${url} does not answer: ${why}`);
      }
    },
  });
}

export class RestError extends Error {
  /** 0: there was no answer. */
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, detail: string) {
    super(status === 0 ? detail : `${status} ${code}: ${detail}`);
    this.name = 'RestError';
    this.status = status;
    this.code = code;
  }
}

/** The body of a good answer; RestError for a problem. */
export async function unwrap<Body>(
  answer: Promise<{ ok: boolean; status: number; json(): Promise<Body> }>,
): Promise<Body> {
  const response = await answer;
  if (response.ok) return response.json();
  const problem = (await response.json().catch(() => ({}))) as { code?: string; detail?: string };
  throw new RestError(response.status, problem.code ?? 'unknown', problem.detail ?? '');
}

/** Asks again for as long as there is no answer, or one of a part that is away; a refusal is thrown at once. */
export async function insist<T>(ask: () => Promise<T>, limitMs = 120_000): Promise<T> {
  for (const deadline = Date.now() + limitMs; ; await delay(300)) {
    try {
      return await ask();
    } catch (error) {
      const isRefusal =
        error instanceof RestError && error.status >= 400 && error.status < 500 && error.status !== 429;
      if (isRefusal || Date.now() > deadline) throw error;
    }
  }
}

/** Ids of the regions, or of the divisions, with these names, made where they are not there yet. */
export async function ensurePlaces(
  endpoint: Rest['api']['regions'] | Rest['api']['divisions'],
  names: string[],
): Promise<string[]> {
  const known = new Map((await unwrap(endpoint.$get())).map((place) => [place.name, place.id]));
  const ids: string[] = [];
  for (const name of names)
    ids.push(known.get(name) ?? (await unwrap(endpoint.$post({ json: { name } }))).id);
  return ids;
}

/** One that is registered already stays as it is. */
export async function ensureDevice(
  rest: Rest,
  device: { id: string; hardware: string; region?: string; division?: string },
): Promise<void> {
  try {
    await unwrap(rest.api.devices.$post({ json: device }));
  } catch (error) {
    if (!(error instanceof RestError) || error.code !== 'device_exists') throw error;
  }
}

const importedAtOnce = 1000;

/** Lines of `id,hardware,name,region,division,tags`, where the last may be left out. Throws for the first that is refused. */
export async function importDevices(
  { url, apiToken }: { url: string; apiToken: string },
  lines: string[],
): Promise<void> {
  for (let from = 0; from < lines.length; from += importedAtOnce) {
    const part = lines.slice(from, from + importedAtOnce);
    const columns = ['id', 'hardware', 'name', 'region', 'division', 'tags'].slice(
      0,
      part[0]!.split(',').length,
    );
    const answer = fetch(`${url}/api/devices/import`, {
      method: 'POST',
      headers: { authorization: `Bearer ${apiToken}`, 'content-type': 'text/csv' },
      body: `${columns.join(',')}\n${part.join('\n')}\n`,
    });
    const report = (await unwrap(answer)) as {
      lines: { id: string; outcome: string; message: string | null }[];
    };
    const refused = report.lines.find(({ outcome }) => outcome === 'refused');
    if (refused) throw new Error(`device ${refused.id} was refused: ${refused.message}`);
  }
}

/** Good for one certificate of this device, for ten minutes. */
export async function createToken(rest: Rest, commonName: string): Promise<string> {
  const json = { profile: 'device' as const, commonName, lifetimeMs: 600_000 };
  return (await unwrap(rest.api.certificates.tokens.$post({ json }))).token;
}

export interface FirmwareFields {
  version: string;
  fileName: string;
  hardware: string;
  releaseNote?: string;
  name?: string;
  component?: string;
}

/** The three steps of a registration; with `signing` also the fourth, where the webhook has no key of its own, of one that is `known` only that. */
export async function registerFirmware(
  rest: Rest,
  image: Uint8Array,
  { releaseNote = '', ...fields }: FirmwareFields,
  signing?: SigningKey,
  known?: Firmware,
): Promise<Firmware> {
  const firmware = known ?? (await upload());
  if (signing) {
    const { version, fileName, hardware, component = 'main' } = fields;
    const sha256 = createHash('sha256').update(image).digest('hex');
    const claims = { component, hardware, version, securityVersion: 0, fileName, size: image.length, sha256 };
    const manifest = await signing.sign(claims);
    await unwrap(rest.api.firmware[':id'].manifest.$put({ param: { id: firmware.id }, json: { manifest } }));
  }
  return firmware;

  async function upload(): Promise<Firmware> {
    const { version, fileName } = fields;
    const { url, headers, s3Path } = await unwrap(
      rest.api.s3.presigned_upload.$post({ json: { version, fileName } }),
    );
    const put = await fetch(url, { method: 'PUT', headers, body: new Uint8Array(image) });
    if (!put.ok) throw new Error(`the file store refused the firmware: ${put.status} ${await put.text()}`);
    return unwrap(rest.api.firmwares.metadata.$post({ json: { ...fields, releaseNote, s3Path } }));
  }
}

export async function findFirmware(rest: Rest, version: string): Promise<Firmware | undefined> {
  const list = await unwrap(rest.api.firmwares.metadata.$get({ query: { search: version } }));
  return (Array.isArray(list) ? list : list.items).find((firmware) => firmware.version === version);
}

export function deploy(rest: Rest, order: DeploymentOrder): Promise<Deployment> {
  return unwrap(rest.api.deployments.$post({ json: order }));
}

export function readDeployment(rest: Rest, id: string): Promise<Deployment> {
  return unwrap(rest.api.deployments[':id'].$get({ param: { id } }));
}

const pageSize = 1000;

export async function listTargets(rest: Rest, deploymentId: string): Promise<Target[]> {
  const targets: Target[] = [];
  for (let total = 1; targets.length < total; ) {
    const query = { limit: String(pageSize), offset: String(targets.length) };
    const page = await unwrap(
      rest.api.deployments[':id'].targets.$get({ param: { id: deploymentId }, query }),
    );
    targets.push(...page.items);
    total = page.items.length ? page.total : 0;
  }
  return targets;
}
