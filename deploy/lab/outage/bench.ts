/** A Flota with everything that can be struck, and devices whose every critical message is counted. */
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Database } from '#webhook/db/connect.ts';
import { type Fleet, startFleet } from '../fleet/devices.ts';
import { type Cluster, createCluster } from '../primitives/postgresql.ts';
import { createEmqx } from '../system/broker.ts';
import { fakedClock } from '../system/clock.ts';
import { type Disk, mountDisk } from '../system/disk.ts';
import { type Link, startLink } from '../system/link.ts';
import { defaultOptions } from '../system/options.ts';
import type { Part } from '../system/part.ts';
import { type System, startSystem } from '../system/system.ts';
import type { Settings } from './settings.ts';
import { openTalk, type Talk } from './talk.ts';

/** gate: all in this process, a gate between broker and webhook. processes: every part a process, two copies of the webhook behind nginx. */
export type Site = 'gate' | 'processes' | 'small disk';

export interface Bench {
  settings: Settings;
  system: System;
  /** Null for an EMQX that nobody said how to restart. */
  broker: Part | null;
  cluster: Cluster;
  /** Between webhook and database, where both are in this process: every byte of it costs the devices' time. */
  link: Link | null;
  disk: Disk | null;
  /** The file from which all processes of a site `processes` read their clock. */
  clockFile: string | null;
  fleet: Fleet;
  database: Database;
  talk: Talk;
  /** Critical messages that devices hold. */
  waiting(): number;
  online(): number;
  close(): Promise<void>;
}

export async function openBench(site: Site, settings: Settings): Promise<Bench> {
  const dataDir = mkdtempSync(join(tmpdir(), 'flota-outage-'));
  const closers: (() => unknown)[] = [
    () => settings.keep || rmSync(dataDir, { recursive: true, force: true, maxRetries: 3 }),
  ];
  const close = async () => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    return { ...(await open(site, settings, dataDir, closers)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(
  site: Site,
  settings: Settings,
  dataDir: string,
  closers: (() => unknown)[],
): Promise<Omit<Bench, 'close'>> {
  const disk = site === 'small disk' ? mountDisk(64) : null;
  if (disk) closers.push(() => disk.remove());
  const clockFile = site === 'processes' ? join(dataDir, 'clock') : null;
  // PostgreSQL reads it as another user.
  if (clockFile) {
    chmodSync(dataDir, 0o755);
    writeFileSync(clockFile, '+0', { mode: 0o644 });
  }
  const env = clockFile ? fakedClock(clockFile) : {};
  const cluster = await createCluster({ env, ...(disk && { dir: disk.dir }) });
  closers.push(() => cluster.remove());
  const link = site === 'gate' ? await startLink(cluster.port) : null;
  if (link) closers.push(() => link.close());
  const { emqx } = settings;
  const system = await startSystem({
    ...defaultOptions,
    dataDir,
    databaseUrl: link ? cluster.url.replace(`:${cluster.port}/`, `:${link.port}/`) : cluster.url,
    env,
    // It goes with its directory: a key that nobody may read costs each process of ours a quarter of a second, and is no part of an outage.
    authority: { dir: join(dataDir, 'ca') },
    ...(site === 'processes'
      ? { apart: ['ca', 'store', 'broker', 'webhook'], copies: 2 }
      : { gate: { host: '127.0.0.1' } }),
    ...emqx?.system,
    tune: settings.tune,
    actionHangMs: settings.actionHangMs,
    reconcile: { periodMs: 1_000, faultMs: 200, youngMs: 1_000, settledMs: 500, watchMs: 1_000 },
  });
  closers.push(() => system.close());
  const run = randomUUID().slice(0, 6);
  const ids = Array.from({ length: settings.devices }, (_, i) => `lab-${run}-${i}`);
  const fleet = await startFleet(system, dataDir, ids.length, {
    ids,
    fsync: false,
    bytesPerSecond: 4_000_000,
    timing: settings.timing,
  });
  closers.push(() => fleet.close());
  const database = await connect({ url: cluster.url, connections: 2 });
  closers.push(() => database.close());
  const talk = openTalk(system, fleet, database);
  closers.push(() => talk.close());
  return {
    settings,
    system,
    broker: system.broker ?? (emqx?.restartCommand ? createEmqx(system.emqx, emqx.restartCommand) : null),
    cluster,
    link,
    disk,
    clockFile,
    fleet,
    database,
    talk,
    waiting: () => fleet.devices.reduce((sum, device) => sum + device.snapshot().outboxMessages, 0),
    online: () => fleet.devices.filter((device) => device.online).length,
  };
}
