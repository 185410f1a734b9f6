/** Makes devices send critical messages, and counts them at both ends: each answers a command, and what it has answered is stored. */
import { randomUUID } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { createEmqxApi } from '#emqx/api.ts';
import { mountedTopic } from '#emqx/protocol.ts';
import type { VirtualDevice } from '#firmware/virtual/device.ts';
import type { Database } from '#webhook/db/connect.ts';
import { query } from '#webhook/db/query.ts';
import type { Fleet } from '../fleet/devices.ts';
import type { System } from '../system/system.ts';

export interface Talk {
  /** Records commands for so many rounds of `ask`; the database must be there. */
  prepare(rounds: number): Promise<void>;
  /**
   * Sends every device (or those named) a command through the broker, as the outbox does. `identify` is answered critically; `report` is too, and
   * telemetry follows. False: the broker is away.
   */
  ask(command?: 'identify' | 'report', ids?: string[]): Promise<boolean>;
  /** Commands that devices have taken: from then on the answer is in their outbox. Of all, or of these. `report` is not counted. */
  taken(ids?: string[]): number;
  /** Answers that are stored. */
  stored(ids?: string[]): Promise<number>;
  /** Counts what this device takes, too; one that was switched on again is another. */
  watch(device: VirtualDevice): void;
  close(): void;
}

export function openTalk(system: System, fleet: Fleet, database: Database): Talk {
  const api = createEmqxApi(system.emqx);
  const ready: { id: string; device: string }[][] = [];
  const taken = new Map(fleet.ids.map((id) => [id, 0]));
  const watch = (device: VirtualDevice) =>
    void device.on('identify', () => taken.set(device.id, taken.get(device.id)! + 1));
  for (const device of fleet.devices) watch(device);
  return {
    watch,
    async prepare(rounds) {
      for (let round = 0; round < rounds; round++) {
        const commands = fleet.ids.map((device) => ({ id: randomUUID(), device }));
        await database.db.execute(sql`
          insert into control_commands (id, device_id, command, created_by)
          select id, device, 'identify', 'lab' from jsonb_to_recordset(${JSON.stringify(commands)}::jsonb) as v(id text, device text)`);
        ready.push(commands);
      }
    },
    async ask(command = 'identify', ids = fleet.ids) {
      const round = ready.shift();
      if (!round) throw new Error('no commands are prepared');
      const messages = round
        .filter(({ device }) => ids.includes(device))
        .map(({ id, device }) => ({
          topic: mountedTopic(device, 'control/command'),
          payload: JSON.stringify({ id, at: null, command }),
          qos: 1 as const,
          messageExpirySeconds: 3_600,
        }));
      return api.publishBulk(messages).then(
        () => true,
        () => false,
      );
    },
    taken: (ids = fleet.ids) => ids.reduce((sum, id) => sum + taken.get(id)!, 0),
    async stored(ids = fleet.ids) {
      const [row] = await query<{ n: number }>(
        database.db,
        sql`select count(*)::int as n from control_commands where created_by = 'lab' and (response->>'ok')::boolean
            and response->>'command' = id and response->'result' is not null
            and device_id in (select jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb))`,
      );
      return row!.n;
    },
    close: () => api.close(),
  };
}
