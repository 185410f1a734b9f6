/** Ends the connections of blocked devices. */
import type { Context } from '../context.ts';
import * as presence from '../devices/presence.ts';
import { paced } from '../paced.ts';

const atOnce = 16;

/** Each of them, a few at a time. */
export async function inTurns<T>(items: T[], run: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const work = async () => {
    for (const item of queue) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
}

/** Ends their connections and sessions. One that fails is logged, and tried again by kickBlocked(). */
export async function kick(context: Context, deviceIds: string[]): Promise<void> {
  await inTurns(deviceIds, async (id) => {
    try {
      await context.broker.kick(id);
    } catch (error) {
      context.log('warn', 'device not kicked', { device: id, error });
    }
  });
}

const everyMs = 2_000;
const batch = 200;

/** Those who are still there: the broker was away when they should have been kicked. A step of `background.ts`. */
export const createKickBlocked = () =>
  paced({ everyMs }, async function kickBlocked(context: Context) {
    await kick(context, await presence.listBlockedOnline(context.db, batch));
    return 'done';
  });
