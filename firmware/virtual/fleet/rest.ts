/** The few REST calls of an experiment, as any client of Flota would make them. */
import { z } from 'zod';

const importSchema = z.object({
  refused: z.int(),
  lines: z.array(z.object({ id: z.string(), outcome: z.string(), message: z.string().nullable() })),
});
const uploadSchema = z.object({
  url: z.url(),
  headers: z.record(z.string(), z.string()),
  s3Path: z.string(),
});
const deploymentSchema = z.object({
  id: z.uuid(),
  state: z.string(),
  createdAt: z.string(),
  finishedAt: z.string().nullable(),
  total: z.int(),
  counts: z.record(z.string(), z.int()),
  halted: z.object({ reason: z.string(), message: z.string() }).nullable(),
});
const targetsSchema = z.object({
  total: z.int(),
  items: z.array(
    z.object({
      device: z.string(),
      state: z.string(),
      attempt: z.int(),
      error: z.object({ code: z.string() }).nullable(),
      updatedAt: z.string(),
    }),
  ),
});

export type Deployment = z.infer<typeof deploymentSchema>;
export type Target = z.infer<typeof targetsSchema>['items'][number];

export class RestFault extends Error {
  override name = 'RestFault';
}

const importedAtOnce = 1000;
const pageSize = 1000;
const answerMaxMs = 60_000;

export class Rest {
  readonly #url: string;
  readonly #token: string;

  constructor(url: string, token: string) {
    this.#url = url;
    this.#token = token;
  }

  async importDevices(ids: string[], hardware: string): Promise<void> {
    for (let from = 0; from < ids.length; from += importedAtOnce) {
      const lines = ids.slice(from, from + importedAtOnce).map((id) => `${id},${hardware},${id}`);
      const body = `id,hardware,name\n${lines.join('\n')}\n`;
      const report = await this.#ask(importSchema, 'POST', '/api/devices/import', body, 'text/csv');
      const refused = report.lines.find((line) => line.outcome === 'refused');
      if (refused) throw new RestFault(`device ${refused.id} was refused: ${refused.message}`);
    }
  }

  async createToken(commonName: string): Promise<string> {
    const body = { profile: 'device', commonName, lifetimeMs: 600_000 };
    return (await this.#ask(z.object({ token: z.string() }), 'POST', '/api/certificates/tokens', body)).token;
  }

  async registerFirmware(image: Buffer, version: string, hardware: string): Promise<string> {
    const fileName = 'fleet.bin';
    const upload = await this.#ask(uploadSchema, 'POST', '/api/s3/presigned_upload', { version, fileName });
    const put = await fetch(upload.url, {
      method: 'PUT',
      headers: upload.headers,
      body: new Uint8Array(image),
    });
    if (!put.ok) throw new RestFault(`the file store refused the image: ${put.status}`);
    const body = { version, fileName, s3Path: upload.s3Path, releaseNote: 'A fleet experiment.', hardware };
    return (await this.#ask(z.object({ id: z.uuid() }), 'POST', '/api/firmwares/metadata', body)).id;
  }

  deploy(firmwareId: string, devices: string[], policy: object): Promise<Deployment> {
    return this.#ask(deploymentSchema, 'POST', '/api/deployments', { firmwareId, devices, policy });
  }

  deployment(id: string): Promise<Deployment> {
    return this.#ask(deploymentSchema, 'GET', `/api/deployments/${id}`);
  }

  cancel(id: string): Promise<Deployment> {
    return this.#ask(deploymentSchema, 'POST', `/api/deployments/${id}/cancel`);
  }

  async targets(id: string): Promise<Target[]> {
    const targets: Target[] = [];
    for (;;) {
      const path = `/api/deployments/${id}/targets?limit=${pageSize}&offset=${targets.length}`;
      const { items, total } = await this.#ask(targetsSchema, 'GET', path);
      targets.push(...items);
      if (items.length === 0 || targets.length >= total) return targets;
    }
  }

  async #ask<S extends z.ZodType>(
    schema: S,
    method: string,
    path: string,
    body?: object | string,
    type = 'application/json',
  ): Promise<z.infer<S>> {
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#url), {
        method,
        headers: {
          authorization: `Bearer ${this.#token}`,
          ...(body !== undefined && { 'content-type': type }),
        },
        body: typeof body === 'object' ? JSON.stringify(body) : body,
        signal: AbortSignal.timeout(answerMaxMs),
      });
    } catch (error) {
      const { message, cause } = error as Error;
      throw new RestFault(
        `${this.#url} does not answer: ${cause instanceof Error ? cause.message : message}`,
      );
    }
    const json: unknown = await response.json().catch(() => null);
    if (!response.ok) {
      const { detail, title } = (json ?? {}) as { detail?: string; title?: string };
      throw new RestFault(`${method} ${path}: ${response.status} ${detail ?? title ?? ''}`.trim());
    }
    const parsed = schema.safeParse(json);
    if (!parsed.success) throw new RestFault(`${method} ${path}: the answer is not one of Flota's`);
    return parsed.data;
  }
}
