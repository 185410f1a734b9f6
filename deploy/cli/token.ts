/** `flota token`: API tokens, for machines that need one of their own. */
import { parseDays } from '#deploy/lab/fleet/units.ts';
import { scopes } from '#webhook/auth/scopes.ts';
import { anyOf } from '#webhook/devices/query/grammar.ts';
import { type Flota, insist, type Schemas } from './client.ts';
import type { Command } from './command.ts';
import { CliError } from './errors.ts';
import { roles } from './login.ts';
import { table } from './output.ts';
import { findPlaces } from './places.ts';

type Token = Schemas['ApiToken'];
type Scope = NonNullable<Token['scopes']>[number];
const kinds = ['region', 'division', 'query', 'group'] as const;

const stateOf = ({ revokedAt, expiresAt }: Token) => {
  if (revokedAt) return 'revoked';
  return expiresAt && Date.parse(expiresAt) <= Date.now() ? 'expired' : 'active';
};

export const create: Command = {
  name: 'token create',
  operands: ['NAME'],
  summary:
    'make an API token for a machine; it is printed this once (with a token of an admin that was made so)',
  options: {
    role: { hint: 'ROLE', values: roles, help: 'viewer, operator (default), admin' },
    scope: {
      hint: 'SCOPE',
      multiple: true,
      values: scopes,
      help: 'all that it may do: read, or such as firmware:write; may be given again. Without: whatever its role may do',
    },
    reach: {
      hint: 'WHAT',
      multiple: true,
      help: 'devices it is for: region:NAME, division:NAME, query:QUERY, or group:NAME for its query as it is now; may be given again. Without: the whole fleet',
    },
    expires: { hint: 'TIME', help: 'how long it lives (default: 90d)' },
  },
  examples: [
    'nightly --scope firmware:write --scope deployments:write --scope devices:read --expires 30d',
    "pilots --role operator --reach region:Seoul --reach 'query:tag = pilot'",
  ],
  async run(input) {
    const name = input.operands[0]!;
    const role = (input.text('role') ?? 'operator') as (typeof roles)[number];
    const asked = input.all('scope') as Scope[];
    const days = input.parsed('expires', parseDays) ?? 90;
    const flota = input.flota();
    const body = {
      name,
      role,
      reach: await readReach(flota, input.all('reach')),
      ...(asked.length > 0 && { scopes: asked }),
      expiresAt: new Date(Date.now() + days * 86_400_000).toISOString(),
    };
    const made = await insist(flota.POST('/api/tokens', { body }));
    input.out.show(made, made.secret);
    input.out.note(`Until ${made.token.expiresAt}; it is not shown again.`);
  },
};

async function readReach(flota: Flota, given: string[]): Promise<Token['reach']> {
  if (given.length === 0) return null;
  const parts = given.map((text) => {
    const [kind, of] = [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 1).trim()];
    if (!kinds.some((one) => one === kind) || of === '')
      throw CliError.of('usage', `--reach "${text}" is none.`, `It is ${kinds.join(':…, ')}:…`);
    return { kind, of };
  });
  const named = (wanted: (typeof kinds)[number]) =>
    parts.flatMap(({ kind, of }) => (kind === wanted ? [of] : []));
  const queries = [...named('query'), ...(await readQueries(flota, named('group')))];
  return {
    regions: await findPlaces(flota, '/api/regions', named('region')),
    divisions: await findPlaces(flota, '/api/divisions', named('division')),
    ...(queries.length > 0 && { query: anyOf(queries) }),
  };
}

async function readQueries(flota: Flota, names: string[]): Promise<string[]> {
  if (names.length === 0) return [];
  const groups = await insist(flota.GET('/api/groups'));
  return names.map((name) => {
    const group = groups.find((one) => one.name === name);
    if (group) return group.query;
    const known = groups.map((one) => one.name).join(', ') || 'none';
    throw CliError.of('group_unknown', `There is no group "${name}".`, `There are: ${known}`);
  });
}

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
