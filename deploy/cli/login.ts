/** `flota login`: keeps a token for later commands, one that is there or one made for this machine. */
import { hostname } from 'node:os';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { createFlota, type Flota, insist } from './client.ts';
import type { Command } from './command.ts';
import { CliError } from './errors.ts';
import type { Terminal } from './output.ts';
import { forgetLogin, readUrl, writeLogin } from './settings.ts';

export const roles = ['viewer', 'operator', 'admin'] as const;
const tokenDays = 90;

export const login: Command = {
  name: 'login',
  summary: 'keep a token for the commands that follow, in the XDG configuration folder',
  options: {
    email: {
      hint: 'E-MAIL',
      help: `log in with a password, and make a token of your own for ${tokenDays} days`,
    },
    code: { hint: 'CODE', help: 'of the authenticator, where the account has one; goes with --email' },
    role: {
      hint: 'ROLE',
      values: roles,
      help: 'of the token that is made, yours at most (default: operator, or viewer if that is yours)',
    },
  },
  examples: [
    '--url https://flota.example',
    '--url https://flota.example < token-file',
    '--url https://flota.example --email admin@example.com',
  ],
  async run(input) {
    const { terminal } = input.out;
    const url = readUrl(input.text('url'), terminal.env);
    const email = input.text('email');
    const role = input.text('role') as (typeof roles)[number] | undefined;
    for (const name of ['role', 'code'])
      if (input.text(name) !== undefined && email === undefined)
        throw CliError.of('usage', `--${name} goes with --email`);
    const token =
      email === undefined
        ? terminal.env.FLOTA_TOKEN || (await readSecret('Token: ', terminal))
        : await makeToken(url, email, await readSecret('Password: ', terminal), input.text('code'), role);
    if (!/^[\x21-\x7e]+$/.test(token))
      throw CliError.of(
        'usage',
        'That is no token.',
        'Tokens are made in the console: Settings, Your API tokens.',
      );
    const me = await insist(createFlota(url, { authorization: `Bearer ${token}` }).GET('/api/me'));
    const file = writeLogin({ url, token }, terminal.env);
    input.out.show({ url, ...me, file }, `Logged in at ${url} as ${me.email} (${me.role}). Kept in ${file}`);
  },
};

export const logout: Command = {
  name: 'logout',
  summary: 'forget the token; it stays valid until it expires or is revoked in the console',
  examples: [''],
  async run(input) {
    forgetLogin(input.out.terminal.env);
    input.out.show({}, 'Logged out.');
  },
};

/** The session by which it is made ends at once. */
async function makeToken(
  url: string,
  email: string,
  password: string,
  code: string | undefined,
  asked: (typeof roles)[number] | undefined,
): Promise<string> {
  const anyone = createFlota(url, {});
  const login = anyone.POST('/api/login', { body: { email, password, ...(code !== undefined && { code }) } });
  const role = asked ?? ((await insist(login)).role === 'viewer' ? 'viewer' : 'operator');
  const cookie = (await login).response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ');
  const session: Flota = createFlota(url, { cookie });
  try {
    const at = new Date();
    const name = `flota on ${hostname().slice(0, 60)}, ${at.toISOString()}`;
    const expiresAt = new Date(at.getTime() + tokenDays * 86_400_000).toISOString();
    return (await insist(session.POST('/api/me/tokens', { body: { name, role, expiresAt } }))).secret;
  } finally {
    await session.POST('/api/logout').catch(() => {});
  }
}

/** The first line of stdin that is not empty, without showing what is typed. */
async function readSecret(prompt: string, { stdin, stderr }: Terminal): Promise<string> {
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const isTerminal = stdin.isTTY === true;
  const lines = createInterface({ input: stdin, output: silent, terminal: isTerminal });
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  if (isTerminal) stderr.write(prompt);
  try {
    for await (const line of lines) if (line.trim()) return line.trim();
    throw CliError.of('usage', 'Nothing was given on stdin.');
  } finally {
    lines.close();
    if (isTerminal) stderr.write('\n');
  }
}
