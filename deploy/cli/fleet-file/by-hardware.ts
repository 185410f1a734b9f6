/** What the server keeps as one list by hardware: each entry of it is a thing of the file, by the hardware's name. */
import { isDeepStrictEqual } from 'node:util';
import { type Flota, insist } from '../client.ts';
import { CliError } from '../errors.ts';
import type { Fields, Live } from './things.ts';

/** Of approvals: firmware of whatever hardware. No hardware is called so. */
const any = '*';
type Entries = Map<string, Fields>;

const lists = {
  approval: {
    async read(flota: Flota) {
      const asked = flota.GET('/api/approval_rules');
      const rules = await insist(asked);
      const entries: Entries = new Map(
        rules.map(({ hardware, aboveDevices }) => [hardware ?? any, { aboveDevices }]),
      );
      return { entries, response: (await asked).response };
    },
    async replace(flota: Flota, entries: Entries, header: { 'If-Match': string }) {
      const rules = [...entries].map(([name, fields]) => ({
        hardware: name === any ? null : name,
        aboveDevices: fields.aboveDevices as number,
      }));
      await insist(flota.PUT('/api/approval_rules', { params: { header }, body: { rules } }));
    },
  },
  encryption: {
    async read(flota: Flota) {
      const asked = flota.GET('/api/encryption');
      const { hardware } = await insist(asked);
      const entries: Entries = new Map(hardware.map((name) => [name, {}]));
      return { entries, response: (await asked).response };
    },
    async replace(flota: Flota, entries: Entries, header: { 'If-Match': string }) {
      const body = { hardware: [...entries.keys()] };
      await insist(flota.PUT('/api/encryption', { params: { header }, body }));
    },
  },
};
type Listed = keyof typeof lists;
const kinds = Object.keys(lists) as Listed[];

/** They have no ids: a claim holds their name. */
export const isListed = (kind: string): kind is Listed => Object.hasOwn(lists, kind);

export async function readListed(flota: Flota): Promise<Live[]> {
  const read = async (kind: Listed) =>
    [...(await lists[kind].read(flota)).entries].map(([name, fields]) => toLive(kind, name, fields));
  return (await Promise.all(kinds.map(read))).flat();
}

/** `fields` null: takes it out of its list. Throws `changed_meanwhile` when it is not as it was read. */
export async function writeListed(
  flota: Flota,
  { kind, name, fields }: { kind: Listed; name: string; fields: Fields | null },
  was: Live | null,
): Promise<string> {
  const { entries, response } = await lists[kind].read(flota);
  const now = entries.get(name);
  if (!isDeepStrictEqual(now, was?.fields))
    throw CliError.of('changed_meanwhile', `Somebody else has changed ${kind} ${name}.`, 'Plan again.');
  if (fields) entries.set(name, fields);
  else entries.delete(name);
  await lists[kind].replace(flota, entries, { 'If-Match': response.headers.get('etag') ?? '*' });
  return toLive(kind, name, {}).id;
}

const toLive = (kind: Listed, name: string, fields: Fields): Live => ({
  kind,
  id: `${kind} ${name}`,
  name,
  fields,
});
