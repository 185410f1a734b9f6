/**
 * A model of PostgreSQL as the webhook uses it: rows that are never changed in place, transactions that see what is committed and their
 * own writes (read committed), row locks that are waited for or skipped.
 */
import type { Target } from '../deployments/machine.ts';
import type { Rollout } from '../deployments/rollout.ts';
import type { Image, Seq } from './device.ts';

export interface DeploymentRow {
  id: string;
  /** Newer ones have more. */
  order: number;
  image: Image;
  rollout: Rollout;
  nextLookAt: number | null;
  sweptAt: number | null;
}
export type TargetRow = Target & { wave: number };
export interface OutboxRow {
  id: string;
  type: 'request' | 'cancel';
  deviceId: string;
  deploymentId: string;
  attempt: number;
  /** Null: parked until the device subscribes. */
  sendAt: number | null;
}
export interface DeviceRow {
  id: string;
  timeZone: string;
  /** Deployments whose selection it matches. */
  matches: string[];
  reachable: boolean;
  /** By component, as last reported. */
  running: Readonly<Record<string, Running>>;
}
export interface Running {
  sha256: string;
  securityVersion: number;
  /** Of the report. */
  seq: Seq;
}
interface Tables {
  deployments: DeploymentRow;
  targets: TargetRow;
  outbox: OutboxRow;
  devices: DeviceRow;
  marks: { deploymentId: string; joins?: boolean };
  received: true;
}
type Table = keyof Tables;

export class Store {
  readonly tables: { [T in Table]: Map<string, Tables[T]> } = {
    deployments: new Map(),
    targets: new Map(),
    outbox: new Map(),
    devices: new Map(),
    marks: new Map(),
    received: new Map(),
  };
  readonly locks = new Map<string, Transaction>();
  #ids = 0;

  nextId(): string {
    return String(this.#ids++);
  }
}

export class Transaction {
  readonly #store: Store;
  readonly #writes = new Map<Table, Map<string, unknown>>();
  readonly #held: string[] = [];
  #open = true;

  constructor(store: Store) {
    this.#store = store;
  }

  get<T extends Table>(table: T, key: string): Tables[T] | undefined {
    const own = this.#writes.get(table);
    if (own?.has(key)) return own.get(key) as Tables[T] | undefined;
    return this.#store.tables[table].get(key);
  }

  set<T extends Table>(table: T, key: string, row: Tables[T] | undefined): void {
    let own = this.#writes.get(table);
    if (!own) {
      own = new Map();
      this.#writes.set(table, own);
    }
    own.set(key, row);
  }

  *scan<T extends Table>(table: T): Generator<[string, Tables[T]]> {
    const own = this.#writes.get(table);
    for (const [key, row] of this.#store.tables[table]) if (!own?.has(key)) yield [key, row];
    if (own) for (const [key, row] of own) if (row !== undefined) yield [key, row as Tables[T]];
  }

  /** False while another transaction has it. */
  lock(key: string): boolean {
    const holder = this.#store.locks.get(key);
    if (holder === this) return true;
    if (holder) return false;
    this.#store.locks.set(key, this);
    this.#held.push(key);
    return true;
  }

  commit(): void {
    for (const [table, rows] of this.#writes) {
      const committed = this.#store.tables[table] as Map<string, unknown>;
      for (const [key, row] of rows) {
        if (row === undefined) committed.delete(key);
        else committed.set(key, row);
      }
    }
    this.rollBack();
  }

  /** Also what the database does when the client is gone. */
  rollBack(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const key of this.#held) this.#store.locks.delete(key);
  }
}
