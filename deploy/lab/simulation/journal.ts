/** Triggers note what each transaction does to targets, deployments, remembered messages and commands; read and forgotten after each. */
import type { Change, DeploymentRow, TargetRow } from './promises/changes.ts';

const tables: Record<string, { on: ('insert' | 'update' | 'delete')[]; key: string }> = {
  targets: { on: ['insert', 'update'], key: '(deployment_id, device_id)' },
  deployments: { on: ['insert', 'update'], key: '(id)' },
  freezes: { on: ['insert', 'delete'], key: '' },
  outbox: { on: ['delete'], key: '' },
  received_messages: { on: ['insert'], key: '' },
};

/** One for each statement, however many rows it has. */
function trigger(table: string, event: 'insert' | 'update' | 'delete', key: string): string {
  const name = `sim_${event}_${table}`;
  const columns = `${event === 'insert' ? 'null::jsonb' : 'to_jsonb(o)'}, to_jsonb(${event === 'delete' ? 'o' : 'n'})`;
  const rows = { insert: 'n', delete: 'o', update: `n join o using ${key}` }[event];
  const news = event === 'delete' ? '' : 'new table as n';
  const olds = event === 'insert' ? '' : 'old table as o';
  return `
    create function ${name}() returns trigger language plpgsql as $$ begin
      insert into sim_journal (tx, at, kind, before, after)
        select txid_current(), extract(epoch from now()) * 1000, '${table}', ${columns} from ${rows};
      return null;
    end $$;
    create trigger ${name} after ${event} on ${table} referencing ${olds} ${news} for each statement execute function ${name}();`;
}

export const createJournal = `
  create table sim_journal (id bigserial primary key, tx bigint, at float8, kind text, before jsonb, after jsonb);
  ${Object.entries(tables)
    .flatMap(([table, { on, key }]) => on.map((event) => trigger(table, event, key)))
    .join('\n')}`;

export const takeJournal = `
  with taken as (delete from sim_journal returning *)
  select tx::text, at, kind, before, after from taken order by id`;

const opening = { insert: 'insert into', update: 'update', delete: 'delete from' };
const noted = new RegExp(
  Object.entries(tables)
    .flatMap(([table, { on }]) => on.map((event) => `\\b${opening[event]} "?${table}\\b`))
    .join('|'),
  'i',
);

/** Whether the journal may have more after this statement: each look at it costs as much as any other. */
export const mayBeNoted = (text: string): boolean => noted.test(text);

// biome-ignore lint/suspicious/noExplicitAny: rows as the database writes them
type Row = Record<string, any>;
export interface JournalRow {
  tx: string;
  at: number;
  kind: string;
  before: Row | null;
  after: Row;
}

/** A list of changes for each transaction, in order. */
export function toTransactions(rows: JournalRow[]): Change[][] {
  const transactions: Change[][] = [];
  for (const change of rows.map(toChange)) {
    const last = transactions.at(-1);
    if (last && last[0]!.tx === change.tx) last.push(change);
    else transactions.push([change]);
  }
  return transactions;
}

function toChange({ tx, at, kind, before, after }: JournalRow): Change {
  switch (kind) {
    case 'targets':
      return { tx, at, kind: 'target', before: before && toTarget(before), after: toTarget(after) };
    case 'deployments':
      return {
        tx,
        at,
        kind: 'deployment',
        before: before && toDeployment(before),
        after: toDeployment(after),
      };
    case 'freezes': {
      const [startsAt, endsAt] = [Date.parse(after.starts_at), Date.parse(after.ends_at)];
      return { tx, at, kind: 'freeze', id: after.id, startsAt, endsAt, gone: before !== null };
    }
    case 'outbox':
      return {
        tx,
        at,
        kind: 'removed',
        topic: after.topic,
        deviceId: after.device_id,
        deploymentId: after.deployment_id,
        attempt: after.attempt,
      };
    default:
      return { tx, at, kind: 'received', deviceId: after.device_id, messageId: after.message_id };
  }
}

function toTarget(row: Row): TargetRow {
  return {
    deploymentId: row.deployment_id,
    deviceId: row.device_id,
    component: row.component,
    wave: row.wave,
    state: row.state,
    attempt: row.attempt,
    attemptsForgiven: row.attempts_forgiven,
    errorCode: row.error_code,
    hasDeadline: row.deadline_at !== null,
    mayWaitUntil: row.deferred && row.deferral_ends_at ? Date.parse(row.deferral_ends_at) : null,
  };
}

function toDeployment(row: Row): DeploymentRow {
  return {
    id: row.id,
    order: `${row.created_at} ${row.id}`,
    firmwareId: row.firmware_id,
    undoes: row.undoes,
    state: row.state,
    policy: row.policy,
    gates: row.memory.gates,
    wave: row.memory.wave,
    resolvedAt: row.memory.resolvedAt,
    overridesFreezes: row.freeze_override !== null,
  };
}
