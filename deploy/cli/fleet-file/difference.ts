/** What differs between a fleet file and the server, and what of that the file may touch. Pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Blame, FleetFile } from './file.ts';
import { type Claim, type Kind, kinds, type Live, type Present, toWanted, type Wanted } from './things.ts';

export interface Difference {
  field: string;
  /** undefined: not there. */
  server: unknown;
  file: unknown;
}
export type Change = {
  kind: Kind;
  name: string;
  /** The claim of it: this file has made it. */
  claim: Claim | null;
} & (
  | { does: 'create'; wanted: Wanted; live: null }
  | { does: 'update'; wanted: Wanted; live: Live; differences: Difference[] }
  | { does: 'remove'; wanted: null; live: Live }
);

export interface Comparison {
  /** In the order in which they are to be done. */
  changes: Change[];
  unchanged: { wanted: Wanted; live: Live; claim: Claim | null }[];
  /** Not in the file, and not made by it. */
  foreign: Live[];
  /** Of this file, of things that somebody else has removed. */
  stale: Claim[];
}

/** `secrets`: also channels whose address is the same as far as can be seen. */
export function compare({ fleet, blame }: FleetFile, present: Present, { secrets = false } = {}): Comparison {
  const wanted = toWanted(fleet);
  checkNames(wanted, present.things, blame);
  const found: Comparison = { changes: [], unchanged: [], foreign: [], stale: [] };
  const taken = new Set<Live>();
  const used = new Set<Claim>();
  for (const one of wanted) {
    const { kind, name } = one;
    const own = present.claims.find((claim) => claim.kind === kind && claim.name === name);
    if (own && own.owner !== fleet.owner)
      throw blame(one.path, `belongs to another fleet file, whose owner is ${own.owner}`);
    const live =
      present.things.find((thing) => thing.kind === kind && thing.name === name) ??
      // Renamed by somebody: its devices are still of it.
      present.things.find((thing) => own?.subject === thing.id && thing.kind === kind) ??
      null;
    const claim = present.claims.find((c) => c.owner === fleet.owner && live && claims(c, live)) ?? null;
    if (claim) used.add(claim);
    if (!live) {
      found.changes.push({ does: 'create', kind, name, wanted: one, live, claim: own ?? null });
      if (own) used.add(own);
      continue;
    }
    taken.add(live);
    if (kind === 'channel' && live.fields.kind !== one.fields.kind)
      throw blame(
        [...one.path, 'kind'],
        `is ${live.fields.kind} on the server and cannot change: take the channel out, apply, and put it in again`,
      );
    const differences = differ(one, live);
    const unseen = secrets && one.address !== undefined && one.address.kind !== 'email';
    if (differences.length > 0 || unseen)
      found.changes.push({ does: 'update', kind, name, wanted: one, live, differences, claim });
    else found.unchanged.push({ wanted: one, live, claim });
  }
  const gone: Change[] = [];
  for (const live of present.things.filter((thing) => !taken.has(thing))) {
    const claim = present.claims.find((c) => c.owner === fleet.owner && claims(c, live));
    if (!claim) found.foreign.push(live);
    else {
      used.add(claim);
      gone.push({ does: 'remove', kind: live.kind, name: live.name, wanted: null, live, claim });
    }
  }
  // What names goes before what is named.
  gone.sort((a, b) => kinds.indexOf(b.kind) - kinds.indexOf(a.kind));
  found.changes.push(...gone);
  found.stale = present.claims.filter((claim) => claim.owner === fleet.owner && !used.has(claim));
  return found;
}

/** One whose making was not confirmed claims what bears its name. */
function claims(claim: Claim, live: Live): boolean {
  if (claim.kind !== live.kind) return false;
  return claim.subject === null ? claim.name === live.name : claim.subject === live.id;
}

function differ(wanted: Wanted, live: Live): Difference[] {
  const [file, server] = [
    { name: wanted.name, ...wanted.fields },
    { name: live.name, ...live.fields },
  ] as Record<string, unknown>[];
  return [...new Set([...Object.keys(server!), ...Object.keys(file!)])]
    .map((field) => ({ field, server: server![field], file: file![field] }))
    .filter((one) => !isDeepStrictEqual(one.server, one.file));
}

function checkNames(wanted: Wanted[], things: Live[], blame: Blame): void {
  const known = (kind: Kind, name: string) =>
    [...wanted, ...things].some((one) => one.kind === kind && one.name === name);
  for (const { kind, fields, path } of wanted) {
    if (kind !== 'rule') continue;
    const { region, channels, watch } = fields as {
      region: string | null;
      channels: string[];
      watch: { group: string } | null;
    };
    if (region !== null && !known('region', region))
      throw blame([...path, 'region'], `there is no region ${region}, in this file or on the server`);
    if (watch && !known('group', watch.group))
      throw blame(
        [...path, 'watch', 'group'],
        `there is no group ${watch.group}, in this file or on the server`,
      );
    for (const name of channels)
      if (!known('channel', name))
        throw blame([...path, 'channels'], `there is no channel ${name}, in this file or on the server`);
  }
}
