/**
 * Whether the broker's dashboard lets in who knows what everybody knows: EMQX's own default, or the word in conf/emqx.conf that must be
 * replaced. Its token may publish to every device.
 */
import { type EmqxApiOptions, EmqxError, openConnection } from './connection.ts';

export const knownPasswords = ['public', 'replace-me'];
/** A wrong password counts against `admin`, and newer EMQX locks it after five in five minutes. */
const everyMs = 3_600_000;

export interface PasswordProbe {
  /** The password of `admin` that everybody knows, or null. Asks at most once an hour, and never again once all were refused. */
  find(): Promise<string | null>;
}

/** Throws EmqxError when the broker is away; it is then asked again the next time. */
export function createPasswordProbe(api: EmqxApiOptions): PasswordProbe {
  let known: { password: string | null; at: number } | null = null;
  return {
    async find() {
      if (known && (known.password === null || Date.now() - known.at < everyMs)) return known.password;
      known = { password: await findDefaultPassword(api), at: Date.now() };
      return known.password;
    },
  };
}

export async function findDefaultPassword(api: EmqxApiOptions): Promise<string | null> {
  const connection = openConnection({ timeoutMs: 5_000, retryForMs: 0, ...api });
  try {
    for (const password of knownPasswords) if (await isTaken(connection, password)) return password;
    return null;
  } finally {
    connection.close();
  }
}

async function isTaken(connection: ReturnType<typeof openConnection>, password: string): Promise<boolean> {
  try {
    const answer = await connection.call('POST', '/login', JSON.stringify({ username: 'admin', password }));
    return answer.status === 200;
  } catch (error) {
    // 401 and 403: it was refused.
    if (error instanceof EmqxError && error.code === 'api_key_refused') return false;
    throw error;
  }
}
