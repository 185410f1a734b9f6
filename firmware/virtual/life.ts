import type { Running } from '#emqx/protocol.ts';
import type { Disk } from './disk.ts';
import type { Journal } from './journal.ts';
import type { AgentEvent } from './machine.ts';
import type { VerifyManifest } from './manifest.ts';
import type { Network } from './network.ts';
import type { LogLevel, Settings } from './options.ts';
import type { Renewal } from './renewal.ts';
import type { Reporter } from './reporter.ts';
import type { Boot, BootReason, Slots } from './slots.ts';
import type { Timers } from './timers.ts';

/** What the parts of a device know of the life they belong to; `agent.ts` lives it. */
export interface Life {
  readonly settings: Settings;
  readonly disk: Disk;
  readonly network: Network;
  readonly timers: Timers;
  readonly journal: Journal;
  readonly reporter: Reporter;
  readonly renewal: Renewal;
  readonly slots: Slots;
  /** Null until the active slot has been measured. */
  readonly boot: Boot | null;
  readonly running: Running;
  readonly verifyManifest: VerifyManifest;
  /** Feeds one event to the transition table, stores what it says, then acts on it. */
  apply(event: AgentEvent): void;
  /** Runs work that outlives a tick; what it throws ends this life, unless it has ended already. */
  spawn(work: Promise<unknown>): void;
  log(level: LogLevel, message: string, fields?: Record<string, unknown>): void;
  notice(event: 'identify' | 'asked', detail?: unknown): void;
  changed(): void;
  requestReboot(reason: BootReason): void;
}
