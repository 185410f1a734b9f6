/** Which of the chosen devices a deployment leaves out because of what was said of them, unless they are named one by one. */
import { and, inArray, isNotNull, isNull, ne, not, notInArray, type SQL, sql } from 'drizzle-orm';
import { mainComponent } from '#emqx/protocol.ts';
import type { Chosen } from '../devices/chosen.ts';
import { defaultChannel, devices } from '../devices/table.ts';
import type { Firmware } from '../firmware/firmware.ts';

export interface Selected extends Chosen {
  /** Left out in deployments of before there were channels. */
  channels?: string[] | undefined;
}

/**
 * Branches of a `case` for the reason. A pin is of the main component's version, and goes before the channel: what a device is pinned to,
 * it takes from any.
 */
export function leftOut(image: Firmware, { devices: named, channels = [defaultChannel] }: Selected): SQL {
  const unnamed = named.length > 0 ? not(inArray(devices.id, named)) : undefined;
  const isMain = image.component === mainComponent;
  const pinned = and(isNotNull(devices.pinned), ne(devices.pinned, image.version), unnamed);
  const free = isMain ? isNull(devices.pinned) : undefined;
  const other = and(free, notInArray(devices.channel, channels), unnamed);
  return sql`${isMain ? sql`when ${pinned} then 'pinned'` : sql``} when ${other} then 'other_channel'`;
}
