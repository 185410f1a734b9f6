/** Whom to talk to, and as whom: options, then FLOTA_URL and FLOTA_TOKEN, then what `flota login` has kept. */
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { putSecret } from '#deploy/lab/primitives/secret-file.ts';
import { CliError } from './errors.ts';

interface Login {
  url: string;
  token: string;
}

/** XDG Base Directory Specification: a relative path is none. */
export function loginFile(env: NodeJS.ProcessEnv): string {
  const { XDG_CONFIG_HOME: given = '' } = env;
  return join(isAbsolute(given) ? given : join(homedir(), '.config'), 'flota', 'login.json');
}

export function readUrl(option: string | undefined, env: NodeJS.ProcessEnv): string {
  const text = option ?? (env.FLOTA_URL || readLogin(env)?.url);
  if (!text)
    throw CliError.of(
      'url_missing',
      'Which Flota?',
      'Give --url or FLOTA_URL, or log in: flota login --url https://…',
    );
  const url = URL.canParse(text) ? new URL(text) : null;
  if (
    !url ||
    !/^https?:$/.test(url.protocol) ||
    url.username ||
    url.pathname !== '/' ||
    url.search ||
    url.hash
  )
    throw CliError.of(
      'url_invalid',
      `"${text.slice(0, 80)}" is not an address such as https://flota.example`,
    );
  return url.origin;
}

/** The token that was kept goes to the server that it is of, and to no other. */
export function readToken(url: string, env: NodeJS.ProcessEnv): string {
  const kept = readLogin(env);
  const token = env.FLOTA_TOKEN || (kept?.url === url ? kept.token : undefined);
  if (!token)
    throw CliError.of(
      'login_missing',
      `There is no token for ${url}.`,
      `Give FLOTA_TOKEN, or log in: flota login --url ${url}`,
    );
  // What fetch would refuse as a header in words of its own.
  if (!/^[\x21-\x7e]+$/.test(token)) throw CliError.of('usage', 'FLOTA_TOKEN holds what no token has.');
  return token;
}

function readLogin(env: NodeJS.ProcessEnv): Login | null {
  const file = loginFile(env);
  try {
    const { url, token } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Login>;
    if (typeof url === 'string' && typeof token === 'string') return { url, token };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
  }
  throw CliError.of('login_file_invalid', `${file} cannot be read as a login.`, 'Log in again: flota login.');
}

export function writeLogin(login: Login, env: NodeJS.ProcessEnv): string {
  const file = loginFile(env);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  putSecret(file, `${JSON.stringify(login)}\n`);
  return file;
}

export function forgetLogin(env: NodeJS.ProcessEnv): void {
  rmSync(loginFile(env), { force: true });
}
