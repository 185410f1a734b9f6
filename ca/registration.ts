/** What the CA's commands ask of the webhook's REST API: to register devices, and to let go whom a certificate was taken from. */
import { setTimeout as delay } from 'node:timers/promises';
import { CaError } from './client.ts';
import type { PlannedDevice } from './provision-list.ts';

export interface Registry {
  /** The device, and its certificate (PEM). Resolves also when they have been there before. @throws CaError registration_failed */
  register(device: PlannedDevice, certificate: string): Promise<void>;
  /**
   * Who is connected with it is disconnected. Resolves also when it was revoked there before.
   * @throws CaError certificate_unknown there | registration_failed
   */
  revoke(serial: string, reason: string): Promise<void>;
}

const attempts = 6;
const firstPauseMs = 250;

interface Place {
  id: string;
  name: string;
}

/** Regions and divisions that are named and not there yet are made. */
export function connectRegistry(url: string, token: string): Registry {
  const places = new Map<string, Promise<string>>();

  async function call(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown }> {
    for (let attempt = 1; ; attempt += 1) {
      const answer = await send(method, path, body).catch((error: Error) => error);
      const transient = answer instanceof Error || answer.status === 429 || answer.status >= 502;
      if (!transient) return answer;
      if (attempt === attempts) {
        const why = answer instanceof Error ? describe(answer) : `status ${answer.status}`;
        throw new CaError('registration_failed', `${url} cannot be reached: ${why}`);
      }
      await delay(firstPauseMs * 2 ** (attempt - 1) * (0.5 + Math.random()));
    }
  }

  async function send(method: string, path: string, body?: unknown) {
    const response = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(20_000),
    });
    const text = await response.text();
    return { status: response.status, body: parse(text) };
  }

  async function findPlace(kind: 'regions' | 'divisions', name: string): Promise<string> {
    for (;;) {
      const listed = await call('GET', `/api/${kind}`);
      if (listed.status !== 200) throw refused(listed);
      const found = (listed.body as Place[]).find((place) => place.name === name);
      if (found) return found.id;
      const made = await call('POST', `/api/${kind}`, { name });
      if (made.status === 201) return (made.body as Place).id;
      // 409: somebody else has just made it.
      if (made.status !== 409) throw refused(made);
    }
  }

  function placeId(kind: 'regions' | 'divisions', name: string): Promise<string> | undefined {
    if (name === '') return undefined;
    const key = `${kind}/${name}`;
    let place = places.get(key);
    if (!place) {
      place = findPlace(kind, name);
      place.catch(() => places.delete(key));
      places.set(key, place);
    }
    return place;
  }

  return {
    async register({ id, hardware, name, region, division }, certificate) {
      const [regionId, divisionId] = await Promise.all([
        placeId('regions', region),
        placeId('divisions', division),
      ]);
      const places = { ...(regionId && { region: regionId }), ...(divisionId && { division: divisionId }) };
      const answer = await call('POST', '/api/devices', { id, hardware, name, ...places });
      if (answer.status !== 201 && codeOf(answer.body) !== 'device_exists') throw refused(answer);
      const known = await call('POST', '/api/certificates', { certificate });
      if (known.status !== 201) throw refused(known);
    },
    async revoke(serial, reason) {
      const answer = await call('POST', `/api/certificates/${serial}/revoke`, { reason });
      if (answer.status === 200 || codeOf(answer.body) === 'already_revoked') return;
      if (answer.status === 404) throw new CaError('certificate_unknown', `${url} does not know ${serial}`);
      throw refused(answer);
    },
  };
}

function refused({ status, body }: { status: number; body: unknown }): CaError {
  const { detail } = (body ?? {}) as { detail?: string };
  return new CaError(
    'registration_failed',
    `the webhook answered ${status}: ${detail ?? codeOf(body) ?? 'no reason'}`,
  );
}

function codeOf(body: unknown): string | undefined {
  return (body as { code?: string } | undefined)?.code;
}

function describe(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
