/** The faults that this project knows, under one name each; every one is struck, and healed. */
import { writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import postgres from 'postgres';
import type { Cluster } from './primitives/postgresql.ts';
import type { Disk } from './system/disk.ts';
import type { Gate, GateFault } from './system/gate.ts';
import type { Link } from './system/link.ts';
import type { Part } from './system/part.ts';

export type FaultKind =
  /** A part is gone at once, with what it has in memory. */
  | 'kill'
  /** It ends in its own time, as on a deployment. */
  | 'stop'
  /** It takes connections and does nothing. */
  | 'hang'
  /** Nobody listens where it was. */
  | 'refuse'
  /** It answers 500 or 503. */
  | 'error'
  /** It does what it is asked, and its answer does not arrive. */
  | 'lost_answer'
  | 'slow'
  /** Its connections break. */
  | 'cut'
  /** Devices lose their power, or their network. */
  | 'power'
  | 'network'
  /** A clock jumps. */
  | 'clock'
  | 'disk_full';

export interface Fault {
  kind: FaultKind;
  name: string;
  strike(): Promise<void>;
  /** Resolves when what was struck serves again. */
  heal(): Promise<void>;
}

const all = async (work: Promise<unknown>[]) => void (await Promise.all(work));
const names = (parts: Part[]) => parts.map(({ name }) => name).join(' and ');

export function kill(...parts: Part[]): Fault {
  return {
    kind: 'kill',
    name: `${names(parts)} killed`,
    strike: () => all(parts.map((part) => part.kill())),
    heal: () => all(parts.map((part) => part.start())),
  };
}

export function stop(...parts: Part[]): Fault {
  return {
    kind: 'stop',
    name: `${names(parts)} replaced`,
    strike: () => all(parts.map((part) => part.stop())),
    heal: () => all(parts.map((part) => part.start())),
  };
}

/** SIGSTOP: only of parts that are processes of their own. */
export function hang(...parts: Part[]): Fault {
  const signal = async (name: 'SIGSTOP' | 'SIGCONT') => {
    for (const part of parts) {
      const process_ = part.process?.();
      if (!process_) throw new Error(`${part.name} is no process that could hang`);
      process.kill(process_.pid, name);
    }
  };
  return {
    kind: 'hang',
    name: `${names(parts)} hangs`,
    strike: () => signal('SIGSTOP'),
    heal: () => signal('SIGCONT'),
  };
}

/** What the gate in front of the webhook does with requests. */
export function failing(gate: Gate, fault: Exclude<GateFault, 'none'>): Fault {
  const texts = { refuse: 'is down', hang: 'hangs', lost_answer: "'s answers get lost" };
  return {
    kind: typeof fault === 'number' ? 'error' : fault,
    name: `the webhook ${typeof fault === 'number' ? `answers ${fault}` : texts[fault]}`.replace(" '", "'"),
    strike: () => gate.fail(fault),
    heal: () => gate.fail('none'),
  };
}

export function databaseStopped(cluster: Cluster): Fault {
  return {
    kind: 'kill',
    name: 'PostgreSQL stopped at once',
    strike: () => cluster.stop(),
    heal: () => cluster.start(),
  };
}

export function connectionsCut(cluster: Cluster): Fault {
  return {
    kind: 'cut',
    name: 'database connections cut',
    async strike() {
      const client = postgres(cluster.url, { max: 1, onnotice: () => {} });
      await client`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and application_name = 'flota'`;
      await client.end();
    },
    heal: async () => {},
  };
}

export function slow(link: Link, delayMs: number, what: string): Fault {
  return {
    kind: 'slow',
    name: `${what} is ${delayMs} ms away`,
    strike: async () => link.slow(delayMs),
    heal: async () => link.slow(0),
  };
}

/** A PostgreSQL that lives on this disk may end when it can write nothing more, and is started again. */
export function diskFull(disk: Disk, cluster: Cluster): Fault {
  return {
    kind: 'disk_full',
    name: "PostgreSQL's disk is full",
    strike: async () => disk.fill(),
    async heal() {
      disk.free();
      await cluster.start();
    },
  };
}

/** Of every process that reads its clock's offset from this file (libfaketime). */
export function clockJump(file: string, offset: '+1d' | '-1d', whose: string): Fault {
  return {
    kind: 'clock',
    name: `the clock of ${whose} jumps by ${offset}`,
    strike: async () => writeFileSync(file, offset),
    heal: async () => writeFileSync(file, '+0'),
  };
}

/** Struck, and healed after so long. */
export async function holdFor(fault: Fault, forMs: number): Promise<void> {
  await fault.strike();
  await delay(forMs);
  await fault.heal();
}

export interface FaultLog {
  /** How often each happened. */
  counts: Map<string, number>;
  /** The one under way. */
  now: string | null;
}

/** One at a time, each once before any comes again, in random order. Resolves at `until` or when `signal` is aborted; by then all is healed. */
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
    await fault.heal();
    log.now = null;
  }
}
