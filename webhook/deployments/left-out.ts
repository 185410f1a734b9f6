/** Which of the chosen devices a deployment leaves out because of what was said of them, unless they are named one by one. */
import { and, inArray, isNull, ne, not, notInArray, type SQL, sql } from 'drizzle-orm';
import { mainComponent } from '#emqx/protocol.ts';
import type { Chosen } from '../devices/chosen.ts';
import type { GroupPin } from '../devices/groups.ts';
import { compile } from '../devices/query/compile.ts';
import { parseQuery } from '../devices/query/grammar.ts';
import { defaultChannel, devices } from '../devices/table.ts';
import type { Firmware } from '../firmware/firmware.ts';

export interface Selected extends Chosen {
  /** Left out in deployments of before there were channels. */
  channels?: string[] | undefined;
  /** What groups say of their devices; read anew each time, and never kept. */
  pins?: GroupPin[] | undefined;
}

/**
 * Branches of a `case` for the reason. A pin is of the main component's version, and goes before the channel: what a device is pinned to,
 * it takes from any.
 */
export function leftOut(
  image: Firmware,
  { devices: named, channels = [defaultChannel], pins = [] }: Selected,
): SQL {
  const unnamed = named.length > 0 ? not(inArray(devices.id, named)) : undefined;
  const isMain = image.component === mainComponent;
  const pin = pinOf(pins);
  const pinned = and(ne(pin, image.version), unnamed);
  const free = isMain ? isNull(pin) : undefined;
  const other = and(free, notInArray(channelOf(pins), channels), unnamed);
  return sql`${isMain ? sql`when ${pinned} then 'pinned'` : sql``} when ${other} then 'other_channel'`;
}

/** The version that a device is pinned to, by itself or else by the first of its groups that is; null: to none. */
export function pinOf(pins: GroupPin[]): SQL {
  const [own, groups] = [sql`${devices.pinned}`, firstOf(pins, 'pinned')];
  return groups ? sql`coalesce(${own}, ${groups})` : own;
}

/** One that follows the default channel by itself follows its group's. */
export function channelOf(pins: GroupPin[]): SQL {
  const [own, groups] = [sql`${devices.channel}`, firstOf(pins, 'channel')];
  return groups ? sql`coalesce(nullif(${own}, ${defaultChannel}), ${groups}, ${own})` : own;
}

function firstOf(pins: GroupPin[], what: 'pinned' | 'channel'): SQL | null {
  const branches = pins.flatMap((group) => {
    const value = group[what];
    return value === null ? [] : sql`when ${compile(parseQuery(group.query))} then ${value}::text`;
  });
  return branches.length > 0 ? sql`(case ${sql.join(branches, sql` `)} end)` : null;
}
