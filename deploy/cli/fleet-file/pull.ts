/** `flota pull`: the present state as a fleet file, or into one, whose comments stay. */
import { existsSync, writeFileSync } from 'node:fs';
import type { Document } from 'yaml';
import type { Command } from '../command.ts';
import type { FleetFile } from './file.ts';
import { fileOption } from './plan.ts';
import type { Fields, Live } from './things.ts';

export const pull: Command = {
  name: 'pull',
  summary: 'write what the server has as a fleet file; in one that is there only what differs is changed',
  options: { file: { ...fileOption, help: 'where to (default: stdout)' } },
  examples: ['> fleet.yaml', '-f fleet.yaml'],
  async run(input) {
    const path = input.text('file');
    const flota = input.flota();
    const { env } = input.out.terminal;
    const [{ parseFleet, readFleetFile }, { compare }, things] = await Promise.all([
      import('./file.ts'),
      import('./difference.ts'),
      import('./things.ts'),
    ]);
    const present = await things.readPresent(flota);
    const old = path !== undefined && existsSync(path);
    const file = old ? readFleetFile(path, env) : parseFleet('', 'fleet.yaml', {});
    const { changes, foreign } = compare(file, present);
    const gone = changes.filter(({ does }) => does === 'create');
    const changed = changes.filter(({ does }) => does === 'update');
    for (const { kind, name } of gone) file.document.deleteIn([things.sections[kind], name]);
    for (const { kind, name, live } of changed) {
      if (live!.name !== name) file.document.deleteIn([things.sections[kind], name]);
      put(file, live!, things.sections[live!.kind]);
    }
    const lost = changes.filter(({ does }) => does === 'remove').map(({ live }) => live!);
    for (const live of [...foreign, ...lost].sort(
      (a, b) => things.kinds.indexOf(a.kind) - things.kinds.indexOf(b.kind),
    ))
      put(file, live, things.sections[live.kind]);
    const text = textOf(file.document);
    if (path === undefined) return input.out.show({ yaml: text }, text.trimEnd());
    if (!old || text !== textOf(readFleetFile(path, env).document)) writeFileSync(path, text);
    const count = changes.length + foreign.length;
    input.out.show(
      { path, changed: count },
      count === 0 ? `${path} is as the server is.` : `${path}: ${count} changed.`,
    );
  },
};

function textOf(document: Document): string {
  return document.toString({ lineWidth: 120 });
}

function put({ document }: FleetFile, live: Live, section: string): void {
  if (document.contents === null || !document.has(section)) document.set(section, document.createNode({}));
  const there = document.getIn([section]) as { flow?: boolean } | null;
  if (there === null) document.set(section, document.createNode({}));
  const node = document.createNode(toYaml(live));
  document.setIn([section, live.name], node);
}

const byDefault: { [K in Live['kind']]?: Fields } = {
  region: { timeZone: 'UTC' },
  group: { channel: null, pinned: null },
  rule: { enabled: true, region: null, minSeverity: 'info', quietHours: null, watch: null },
};

/** What is by default is left out; what is secret of an address is a variable of the environment. */
function toYaml({ kind, name, fields }: Live): Fields {
  if (kind !== 'channel') {
    const defaults = byDefault[kind] ?? {};
    return Object.fromEntries(Object.entries(fields).filter(([field, value]) => defaults[field] !== value));
  }
  const target = fields.target as string;
  if (fields.kind === 'email') return { kind: 'email', recipients: target.split(', ') };
  const variable = `${name.toUpperCase().replace(/[^A-Z0-9]+/g, '_')}_URL`;
  return { kind: fields.kind, url: target.includes('…') ? `\${${variable}}` : target };
}
