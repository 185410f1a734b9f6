/** What is done to the parts: each kind in turn, in random order, one at a time, and always healed before the next. */
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import type { PartProcess } from './process.ts';
import type { System } from './system.ts';

export interface Fault {
  name: string;
  strike(): Promise<void>;
  heal(): Promise<void>;
}

export function listFaults(system: System): Fault[] {
  const killed = (...parts: PartProcess[]): Fault => ({
    name: `${parts.map((part) => part.name).join(' and ')} killed`,
    strike: async () => {
      await Promise.all(parts.map((part) => part.stop()));
    },
    heal: async () => {
      await Promise.all(parts.map((part) => part.start()));
    },
  });
  const { copies, broker, store, ca, proxy, postgresql } = system;
  return [
    killed(copies[0]!),
    killed(copies[1]!),
    killed(...copies),
    killed(broker),
    killed(store),
    killed(ca),
    killed(proxy),
    { name: 'PostgreSQL stopped at once', strike: () => postgresql.stop(), heal: () => postgresql.start() },
    { name: 'database connections cut', strike: () => cutConnections(postgresql.url), heal: async () => {} },
    {
      name: `${copies[0]!.name} replaced`,
      strike: () => copies[0]!.stop('SIGTERM'),
      heal: () => copies[0]!.start(),
    },
  ];
}

/** So that the memory of one copy can be watched over a long life, the second is left alone after a while. */
export function sparesSecondCopy({ name }: Fault): boolean {
  return !name.includes('webhook 2');
}

export interface FaultLog {
  /** How often each happened. */
  counts: Map<string, number>;
  /** The one under way. */
  now: string | null;
}

/** Resolves at `until` or when `signal` is aborted; by then everything is healed. */
export async function strikeAtRandom(options: {
  faults: Fault[];
  random: () => number;
  until: number;
  signal: AbortSignal;
  log: FaultLog;
  /** Which may be used now. */
  allow: (fault: Fault) => boolean;
  say: (line: string) => void;
}): Promise<void> {
  const { faults, random, until, signal, log, allow, say } = options;
  const rest = (ms: number) =>
    delay(Math.max(0, Math.min(ms, until - Date.now())), undefined, { signal }).catch(() => {});
  let bag: Fault[] = [];
  while (Date.now() < until && !signal.aborted) {
    await rest(2_000 + random() * 6_000);
    bag = bag.filter(allow);
    if (bag.length === 0) bag = faults.filter(allow);
    const [fault] = bag.splice(Math.floor(random() * bag.length), 1);
    if (!fault || Date.now() >= until || signal.aborted) continue;
    log.now = fault.name;
    log.counts.set(fault.name, (log.counts.get(fault.name) ?? 0) + 1);
    say(fault.name);
    await fault.strike();
    await rest(500 + random() * 4_000);
    // A part that is being killed has left a port or a lock for a moment.
    for (let tries = 1; ; tries++) {
      try {
        await fault.heal();
        break;
      } catch (error) {
        if (tries === 3) throw error;
      }
    }
    log.now = null;
  }
}

async function cutConnections(url: string): Promise<void> {
  const client = postgres(url, { max: 1, onnotice: () => {} });
  await client`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and application_name = 'flota'`;
  await client.end();
}
