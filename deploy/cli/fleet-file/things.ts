/** The kinds of things that a fleet file holds: how the server has each, what the file wants, and how one becomes the other. */
import { targetOf } from '#webhook/notifications/target.ts';
import { type Flota, insist, type Schemas } from '../client.ts';
import { isListed, readListed, writeListed } from './by-hardware.ts';
import type { ChannelAddress, Fleet } from './schema.ts';

export type Kind = Schemas['Claim']['kind'];
export type Claim = Schemas['Claim'];
/** In words of the file: names and not ids. */
export type Fields = Record<string, unknown>;

export interface Live {
  kind: Kind;
  id: string;
  name: string;
  fields: Fields;
  /** As it was read: what somebody else has changed since is not written over. Absent of what was just made. */
  revision?: number;
  /** How many devices are of it: while there are any, it cannot be removed. */
  devices?: number;
}

export interface Wanted {
  kind: Kind;
  name: string;
  /** As they can be compared. */
  fields: Fields;
  /** Of a channel: where it leads, with what is secret of it. */
  address?: ChannelAddress;
  /** In the file. */
  path: string[];
}

/** In the order in which they are made: what is named before what names it. */
export const sections = {
  region: 'regions',
  division: 'divisions',
  group: 'groups',
  policy: 'policies',
  channel: 'channels',
  rule: 'rules',
  approval: 'approvals',
  encryption: 'encryption',
} as const satisfies Record<Kind, keyof Fleet>;
export const kinds = Object.keys(sections) as Kind[];

export interface Present {
  things: Live[];
  claims: Claim[];
}

export async function readPresent(flota: Flota): Promise<Present> {
  const [regions, divisions, groups, policies, channels, rules, claims, listed] = await Promise.all([
    insist(flota.GET('/api/regions')),
    insist(flota.GET('/api/divisions')),
    insist(flota.GET('/api/groups')),
    insist(flota.GET('/api/policies')),
    insist(flota.GET('/api/notifications/channels')),
    insist(flota.GET('/api/notifications/rules')),
    insist(flota.GET('/api/claims')),
    readListed(flota),
  ]);
  const nameOf = (all: { id: string; name: string }[], id: string) =>
    all.find((one) => one.id === id)?.name ?? id;
  const things: Live[] = [
    ...regions.map((one) => live('region', one, { timeZone: one.timeZone }, one.devices)),
    ...divisions.map((one) => live('division', one, {}, one.devices)),
    ...groups.map((one) =>
      live('group', one, { query: one.query, channel: one.channel, pinned: one.pinned }),
    ),
    ...policies.map((one) => live('policy', one, one.policy)),
    ...channels.map((one) => live('channel', one, { kind: one.kind, target: one.target })),
    ...rules.map(({ enabled, kinds, regionId, minSeverity, quietHours, watch, channels: ids, ...one }) =>
      live('rule', one, {
        enabled,
        kinds: [...kinds].sort(),
        region: regionId && nameOf(regions, regionId),
        minSeverity,
        quietHours,
        watch: watch && { ...watch, group: nameOf(groups, watch.group) },
        channels: ids.map((one) => nameOf(channels, one)).sort(),
      }),
    ),
    ...listed,
  ];
  return { things, claims };
}

type Read = { id: string; name: string; revision: number };

function live(kind: Kind, { id, name, revision }: Read, fields: Fields, devices?: number): Live {
  return { kind, id, name, revision, fields, ...(devices !== undefined && { devices }) };
}

export function toWanted(fleet: Fleet): Wanted[] {
  return kinds.flatMap((kind) =>
    Object.entries(fleet[sections[kind]]).map(([name, given]) => {
      const path = [sections[kind], name];
      if (kind === 'channel') {
        const address = given as ChannelAddress;
        const fields = { kind: address.kind, target: targetOf({ url: null, recipients: null, ...address }) };
        return { kind, name, fields, address, path };
      }
      const fields = { ...(given as Fields) };
      if (kind === 'rule')
        for (const list of ['kinds', 'channels'])
          fields[list] = [...new Set(fields[list] as string[])].sort();
      return { kind, name, fields, path };
    }),
  );
}

const pathTo = ({ id, revision }: Pick<Live, 'id' | 'revision'>) => ({
  path: { id },
  header: { 'If-Match': revision === undefined ? '*' : `"${revision}"` },
});

/** Makes it, or gives what is there the fields and the name of the file; resolves with its id. Throws `changed_meanwhile`. */
export async function write(
  flota: Flota,
  wanted: Wanted,
  was: Live | null,
  present: Live[],
): Promise<string> {
  const { kind, name, fields, address } = wanted;
  if (isListed(kind)) return writeListed(flota, { kind, name, fields }, was);
  const id = was?.id;
  const params = pathTo(was ?? { id: '' });
  const find = (of: Kind, called: string) =>
    present.find((one) => one.kind === of && one.name === called)!.id;
  if (kind === 'region') {
    const body = { name, timeZone: fields.timeZone as string };
    if (id) return idOf(flota.PATCH('/api/regions/{id}', { params, body }));
    return idOf(flota.POST('/api/regions', { body }));
  }
  if (kind === 'division') {
    if (id) return idOf(flota.PATCH('/api/divisions/{id}', { params, body: { name } }));
    return idOf(flota.POST('/api/divisions', { body: { name } }));
  }
  if (kind === 'group') {
    const body = { name, ...(fields as Fleet['groups'][string]) };
    if (id) return idOf(flota.PATCH('/api/groups/{id}', { params, body }));
    return idOf(flota.POST('/api/groups', { body }));
  }
  if (kind === 'policy') {
    const body = { name, policy: fields };
    if (id) return idOf(flota.PATCH('/api/policies/{id}', { params, body }));
    return idOf(flota.POST('/api/policies', { body }));
  }
  if (kind === 'channel') {
    const { kind: _, ...to } = address!;
    if (id) return idOf(flota.PATCH('/api/notifications/channels/{id}', { params, body: { name, ...to } }));
    const made = insist(flota.POST('/api/notifications/channels', { body: { ...address!, name } }));
    return (await made).channel.id;
  }
  const { region, channels, watch, ...rest } = fields as unknown as Fleet['rules'][string];
  const regionId = region === null ? null : find('region', region);
  const body = {
    ...{ ...rest, name, regionId, channels: channels.map((one) => find('channel', one)) },
    watch: watch && { ...watch, group: find('group', watch.group) },
  };
  if (id) return idOf(flota.PATCH('/api/notifications/rules/{id}', { params, body }));
  return idOf(flota.POST('/api/notifications/rules', { body }));
}

async function idOf(asked: Parameters<typeof insist<{ id: string }>>[0]): Promise<string> {
  return (await insist(asked)).id;
}

/** What a claim of it holds. */
export const subjectOf = ({ kind, id }: Pick<Live, 'kind' | 'id'>): string | null =>
  isListed(kind) ? null : id;

const paths = {
  region: '/api/regions/{id}',
  division: '/api/divisions/{id}',
  group: '/api/groups/{id}',
  policy: '/api/policies/{id}',
  channel: '/api/notifications/channels/{id}',
  rule: '/api/notifications/rules/{id}',
} as const;

export async function remove(flota: Flota, was: Live): Promise<void> {
  const { kind, name } = was;
  if (isListed(kind)) await writeListed(flota, { kind, name, fields: null }, was);
  else await insist(flota.DELETE(paths[kind], { params: pathTo(was) }));
}
