/** `flota cve` and `flota components`: which devices attest an image that has something, and what is judged of it. */
import { createReadStream, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { parseWhole } from '#deploy/lab/fleet/units.ts';
import { insist } from './client.ts';
import type { Command, Input, Option } from './command.ts';
import { CliError } from './errors.ts';
import { table } from './output.ts';
import { readPages } from './pages.ts';

const shownByDefault = 100;
const limit: Option = { hint: 'N', help: `how many at most (default: ${shownByDefault})` };
const maxOf = (input: Input) => input.parsed('limit', parseWhole(1, 1_000_000)) ?? shownByDefault;
const statuses = ['not_affected', 'affected', 'fixed', 'under_investigation'] as const;
const justifications = [
  'component_not_present',
  'vulnerable_code_not_present',
  'vulnerable_code_not_in_execute_path',
  'vulnerable_code_cannot_be_controlled_by_adversary',
  'inline_mitigations_already_exist',
] as const;

export const list: Command = {
  name: 'cve list',
  summary: 'vulnerabilities of the firmwares whose SBOM is known, what concerns most devices first',
  options: {
    all: { help: 'also what was judged not to concern us, or fixed' },
    search: { hint: 'TEXT', help: 'whose name or component has this in it' },
    limit,
  },
  examples: ['', '--search mbedtls --json'],
  async run(input) {
    const flota = input.flota();
    const query = { state: input.has('all') ? 'all' : 'open', search: input.text('search') } as const;
    const found = await readPages(maxOf(input), (page) =>
      insist(flota.GET('/api/vulnerabilities', { params: { query: { ...query, ...page } } })),
    );
    const rows = found.map((one) => [
      one.vulnerability,
      one.devices,
      one.firmwares,
      Object.keys(one.statuses).join(', '),
      one.packages.join(', '),
      one.summary.slice(0, 60),
    ]);
    input.out.show(found, table(['NAME', 'DEVICES', 'FIRMWARES', 'STATUS', 'COMPONENTS', 'SUMMARY'], rows));
  },
};

export const show: Command = {
  name: 'cve show',
  operands: ['CVE'],
  summary: 'one vulnerability: which firmwares have it, and on how many devices they run',
  examples: ['CVE-2024-45157'],
  async run(input) {
    const path = { id: input.operands[0]! };
    const found = await insist(input.flota().GET('/api/vulnerabilities/{id}', { params: { path } }));
    const rows = found.findings.map((one) => [
      `${one.firmware} ${one.firmwareVersion}`,
      one.hardware,
      `${one.package} ${one.version}`,
      one.fixedIn,
      one.status ?? 'open',
      one.devices,
    ]);
    const heads = ['FIRMWARE', 'HARDWARE', 'COMPONENT', 'FIXED IN', 'STATUS', 'DEVICES'];
    input.out.show(found, [
      ...found.advisories.map(({ id, summary }) => `${id}: ${summary}`),
      '',
      ...table(heads, rows),
    ]);
  },
};

export const devices: Command = {
  name: 'cve devices',
  operands: ['CVE'],
  summary: 'devices that attest an image with it, without those of firmwares judged harmless',
  options: { limit },
  examples: ['CVE-2024-45157', 'CVE-2024-45157 --limit 100000 --json'],
  async run(input) {
    const [flota, path] = [input.flota(), { id: input.operands[0]! }];
    const found = await readPages(maxOf(input), (query) =>
      insist(flota.GET('/api/vulnerabilities/{id}/devices', { params: { path, query } })),
    );
    showDevices(input, found);
  },
};

function showDevices(
  input: Input,
  found: {
    id: string;
    name: string;
    region: string | null;
    component: string;
    version: string;
    reportedAt: string;
  }[],
): void {
  const rows = found.map((d) => [d.id, d.name, d.region, d.component, d.version, d.reportedAt]);
  input.out.show(found, table(['ID', 'NAME', 'REGION', 'COMPONENT', 'VERSION', 'ATTESTED'], rows));
  if (found.length === maxOf(input)) input.out.note(`The first ${found.length}; --limit N shows more.`);
}

export const bring: Command = {
  name: 'cve import',
  operands: ['FILE'],
  summary: 'bring in advisories: OSV as JSON, JSON lines, or a zip as osv.dev has them for each ecosystem',
  examples: ['all.zip', 'CVE-2024-45157.json --json'],
  async run(input) {
    const flota = input.flota();
    const { FeedError, readFeed } = await import('#webhook/vulnerabilities/feed-file.ts');
    const sum = { imported: 0, unchanged: 0, withdrawn: 0 };
    try {
      for await (const advisories of readFeed(createReadStream(input.operands[0]!))) {
        const done = await insist(flota.POST('/api/vulnerabilities/feed', { body: { advisories } }));
        for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += done[name];
        input.out.note(`${sum.imported + sum.unchanged + sum.withdrawn} …`);
      }
    } catch (error) {
      if (error instanceof FeedError) throw CliError.of('feed_invalid', error.message);
      throw asUnreadable(input.operands[0]!, error);
    }
    input.out.show(
      sum,
      `${sum.imported} imported, ${sum.unchanged} there already, ${sum.withdrawn} withdrawn`,
    );
  },
};

export const state: Command = {
  name: 'cve state',
  operands: ['CVE'],
  summary: 'judge a vulnerability (VEX), in all firmwares or in one',
  options: {
    status: { hint: 'STATUS', values: statuses, help: statuses.join(', ') },
    justification: {
      hint: 'WHY',
      values: justifications,
      help: `of not_affected: ${justifications.join(', ')}`,
    },
    note: { hint: 'TEXT', help: 'in words' },
    firmware: { hint: 'ID', help: 'only in this one' },
  },
  examples: ['CVE-2024-45157 --status not_affected --justification vulnerable_code_not_present'],
  async run(input) {
    const status = input.text('status') as (typeof statuses)[number] | undefined;
    if (!status) throw CliError.of('usage', 'Which status?', `Give --status, one of ${statuses.join(', ')}.`);
    const justification = (input.text('justification') ?? null) as (typeof justifications)[number] | null;
    const body = {
      status,
      justification,
      note: input.text('note') ?? '',
      firmwareId: input.text('firmware') ?? null,
    };
    const params = { path: { id: input.operands[0]! } };
    await insist(input.flota().POST('/api/vulnerabilities/{id}/statements', { params, body }));
    input.out.show({ vulnerability: params.path.id, ...body }, `${params.path.id}: ${status}`);
  },
};

export const evidence: Command = {
  name: 'cve evidence',
  operands: ['CVE'],
  summary: 'a signed file: which devices had an image with it when, who rolled it out, and when it was gone',
  options: { out: { hint: 'FILE', help: 'default: stdout' } },
  examples: ['CVE-2024-45157 --out evidence.json'],
  async run(input) {
    const params = { path: { id: input.operands[0]! } };
    const signed = await insist(input.flota().POST('/api/vulnerabilities/{id}/evidence', { params }));
    const out = input.text('out');
    const text = `${JSON.stringify(signed, null, 2)}\n`;
    if (out === undefined) input.out.terminal.stdout.write(text);
    else {
      writeFileSync(out, text);
      input.out.show(
        { file: out, sha256: signed.sha256 },
        `${out}: ${signed.sha256}, signed ${signed.signedAt}`,
      );
    }
  },
};

export const components: Command = {
  name: 'components',
  summary: 'what firmwares are made of, by their SBOMs; with --name the devices that have it',
  options: {
    name: {
      hint: 'NAME',
      help: 'a name, or a package URL without version: devices that attest an image with it',
    },
    below: { hint: 'V', help: 'only in versions before this one' },
    search: { hint: 'TEXT', help: 'components whose name has this in it' },
    limit,
  },
  examples: ['--search tls', '--name mbedtls --below 3.6.1', '--name pkg:github/mbed-tls/mbedtls --json'],
  async run(input) {
    const flota = input.flota();
    const [name, below] = [input.text('name'), input.text('below')];
    if (name === undefined && below !== undefined) throw CliError.of('usage', '--below goes with --name');
    if (name !== undefined) {
      const found = await readPages(maxOf(input), (page) =>
        insist(flota.GET('/api/packages/devices', { params: { query: { name, below, ...page } } })),
      );
      return showDevices(input, found);
    }
    const search = input.text('search');
    const found = await readPages(maxOf(input), (page) =>
      insist(flota.GET('/api/packages', { params: { query: { search, ...page } } })),
    );
    const rows = found.map((one) => [one.name, one.version, one.firmwares]);
    input.out.show(found, table(['COMPONENT', 'VERSION', 'FIRMWARES'], rows));
  },
};

/** The bytes of a document, which go to the server as they are. */
export async function readDocument(path: string): Promise<Buffer> {
  return readFile(path).catch((error: unknown) => {
    throw asUnreadable(path, error);
  });
}

function asUnreadable(path: string, error: unknown): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== 'open' && syscall !== 'read') return error;
  return CliError.of('file_unreadable', `${path} cannot be read: ${code}.`, undefined, error);
}
