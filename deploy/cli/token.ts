/** `flota token`: API tokens, for machines that need one of their own. */
import { parseDays } from '#deploy/lab/fleet/units.ts';
import { scopes } from '#webhook/auth/scopes.ts';
import { insist, type Schemas } from './client.ts';
import type { Command } from './command.ts';
import { roles } from './login.ts';
import { table } from './output.ts';

type Token = Schemas['ApiToken'];
type Scope = NonNullable<Token['scopes']>[number];

const stateOf = ({ revokedAt, expiresAt }: Token) => {
  if (revokedAt) return 'revoked';
  return expiresAt && Date.parse(expiresAt) <= Date.now() ? 'expired' : 'active';
};

export const create: Command = {
  name: 'token create',
  operands: ['NAME'],
  summary: 'make an API token; it is printed this once (admins only)',
  options: {
    role: { hint: 'ROLE', values: roles, help: 'viewer, operator (default), admin' },
    scope: {
      hint: 'SCOPE',
      multiple: true,
      values: scopes,
      help: 'all that it may do: read, or such as firmware:write; may be given again. Without: whatever its role may do',
    },
    expires: { hint: 'TIME', help: 'how long it lives (default: 90d)' },
  },
  examples: ['nightly --scope firmware:write --scope deployments:write --scope devices:read --expires 30d'],
  async run(input) {
    const name = input.operands[0]!;
    const role = (input.text('role') ?? 'operator') as (typeof roles)[number];
    const asked = input.all('scope') as Scope[];
    const days = input.parsed('expires', parseDays) ?? 90;
    const body = {
      name,
      role,
      ...(asked.length > 0 && { scopes: asked }),
      expiresAt: new Date(Date.now() + days * 86_400_000).toISOString(),
    };
    const made = await insist(input.flota().POST('/api/tokens', { body }));
    input.out.show(made, made.secret);
    input.out.note(`Until ${made.token.expiresAt}; it is not shown again.`);
  },
};

export const list: Command = {
  name: 'token list',
  summary: 'API tokens, the newest first (admins only)',
  examples: ['', '--json'],
  async run(input) {
    const tokens = await insist(input.flota().GET('/api/tokens'));
    const rows = tokens.map((one) => [
      one.id,
      one.name,
      one.role,
      one.scopes?.join(' ') ?? 'all of its role',
      stateOf(one),
      one.expiresAt ?? 'never',
      one.lastUsedAt ?? 'never',
    ]);
    input.out.show(tokens, table(['ID', 'NAME', 'ROLE', 'SCOPES', 'STATE', 'EXPIRES', 'USED'], rows));
  },
};

export const revoke: Command = {
  name: 'token revoke',
  operands: ['ID'],
  summary: 'revoke an API token at once (admins only)',
  examples: ['0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1'],
  async run(input) {
    const id = input.operands[0]!;
    await insist(input.flota().DELETE('/api/tokens/{id}', { params: { path: { id } } }));
    input.out.show({ id }, `Revoked ${id}.`);
  },
};
