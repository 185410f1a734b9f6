/** What must hold when everything is healed and has had time to settle. */
import { sql } from 'drizzle-orm';
import { connect } from '#webhook/db/connect.ts';
import { type Db, query } from '#webhook/db/query.ts';
import { isOpen, type TargetState } from '#webhook/deployments/states.ts';
import type { LightDevice, Report } from '../outage/light-device.ts';
import type { Fleet } from './fleet.ts';
import type { System } from './system.ts';

export interface Verdict {
  problems: string[];
  targets: Record<string, number>;
  deployments: number;
  messages: number;
}

export function judge(system: System, fleet: Fleet): Promise<Verdict> {
  return look(system, fleet, async (db) => [
    ...(await findLost(db, fleet)),
    ...(await findStuck(db)),
    ...(await findDrift(db, fleet)),
  ]);
}

/** What must hold at any moment: a message that was acked is stored. */
export function judgeSoFar(system: System, fleet: Fleet): Promise<Verdict> {
  return look(
    system,
    fleet,
    async (db) => (await findMissing(db, fleet, (talker) => talker.acked())).problems,
  );
}

async function look(
  system: System,
  fleet: Fleet,
  findProblems: (db: Db) => Promise<string[]>,
): Promise<Verdict> {
  const database = await connect({ url: system.postgresql.url });
  try {
    const problems = await findProblems(database.db);
    const states = await query<{ state: string; n: number }>(
      database.db,
      sql`select state, count(*)::int as n from targets group by state`,
    );
    const [made] = await query<{ n: number }>(database.db, sql`select count(*)::int as n from deployments`);
    const messages = fleet.talkers.reduce((sum, talker) => sum + talker.reports.length, 0);
    return {
      problems,
      targets: Object.fromEntries(states.map((s) => [s.state, s.n])),
      deployments: made!.n,
      messages,
    };
  } finally {
    await database.close();
  }
}

/** Every message of every talker is in the database once, as it was sent; nothing is a dead letter. */
async function findLost(db: Db, fleet: Fleet): Promise<string[]> {
  const { problems, stored, sought } = await findMissing(db, fleet, (talker) => talker.reports);
  if (stored !== sought) problems.push(`${stored} messages are stored, ${sought} were sent`);
  const [letters] = await query<{ n: number }>(db, sql`select count(*)::int as n from dead_letters`);
  if (letters!.n > 0) problems.push(`${letters!.n} dead letters`);
  return problems;
}

async function findMissing(db: Db, { talkers }: Fleet, reportsOf: (talker: LightDevice) => Report[]) {
  const due = talkers.map((talker) => ({ talker, reports: reportsOf(talker) }));
  const rows = await query<{ device: string; id: string; digest: string }>(
    db,
    sql`select device_id as device, message_id as id, digest from received_messages where device_id like 'talker-%'`,
  );
  const stored = new Map(rows.map((row) => [`${row.device} ${row.id}`, row.digest]));
  const problems: string[] = [];
  let sought = 0;
  for (const { talker, reports } of due) {
    sought += reports.length;
    for (const { id, digest } of reports) {
      const found = stored.get(`${talker.id} ${id}`);
      if (found !== digest) problems.push(`${talker.id}: message ${id} is ${found ? 'another' : 'lost'}`);
    }
  }
  return { problems, stored: rows.length, sought };
}

async function findStuck(db: Db): Promise<string[]> {
  const targets = await query<{ device: string; state: TargetState }>(
    db,
    sql`select device_id as device, state from targets`,
  );
  const stuck = targets
    .filter((target) => isOpen(target.state))
    .map((target) => `${target.device}: a target is still ${target.state}`);
  const [outbox] = await query<{ n: number }>(db, sql`select count(*)::int as n from outbox`);
  if (outbox!.n > 0) stuck.push(`${outbox!.n} commands are still in the outbox`);
  const running = await query<{ id: string }>(db, sql`select id from deployments where state = 'running'`);
  return [...stuck, ...running.map(({ id }) => `deployment ${id} is still running`)];
}

/** What the database says a device runs is what it runs, and that is what its last successful update brought. */
async function findDrift(db: Db, fleet: Fleet): Promise<string[]> {
  const rows = await query<{ device: string; sha256: string }>(
    db,
    sql`select device_id as device, sha256 from components where device_id like 'soak-%'`,
  );
  const known = new Map(rows.map((row) => [row.device, row.sha256]));
  const targets = await query<{ device: string; sha256: string }>(
    db,
    sql`select distinct on (t.device_id) t.device_id as device, f.sha256 from targets t join deployments d on d.id = t.deployment_id
        join firmwares f on f.id = d.firmware_id where t.state = 'succeeded' order by t.device_id, d.created_at desc`,
  );
  const updated = new Map(targets.map((row) => [row.device, row.sha256]));
  return fleet.on().flatMap((device) => {
    const { running, outboxMessages } = device.snapshot();
    const problems: string[] = [];
    if (outboxMessages > 0) problems.push(`${device.id}: ${outboxMessages} messages were never acked`);
    if (running?.sha256 !== known.get(device.id))
      problems.push(`${device.id} runs something else than the database says`);
    if (updated.has(device.id) && running?.sha256 !== updated.get(device.id))
      problems.push(`${device.id} does not run its last successful update`);
    return problems;
  });
}
