/** The same REST calls that the console makes, for the demo and for tests; its types are the webhook's own. */
import { hc } from 'hono/client';
import type { App } from '#webhook/app.ts';

export type Rest = ReturnType<typeof createRest>;

export function createRest(url: string, apiToken: string) {
  return hc<App>(url, { headers: { authorization: `Bearer ${apiToken}` } });
}

export class RestError extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, detail: string) {
    super(`${status} ${code}: ${detail}`);
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
