/** Who is told what, of where, and when not. */
import { asc, eq, inArray } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import { orNameTaken } from '../db/name-taken.ts';
import { type Db, foreignKeyViolation, sqlState } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { isOpen, type MaintenanceWindow, nextOpening, weekdays } from '../deployments/window.ts';
import { AppError } from '../errors.ts';
import { type Kind, type Severity, severities } from './kinds.ts';
import type { Told } from './message.ts';
import { notificationRuleChannels, notificationRules, type QuietHours } from './table.ts';

export interface RuleInput {
  name: string;
  enabled: boolean;
  kinds: Kind[];
  regionId: string | null;
  minSeverity: Severity;
  quietHours: QuietHours | null;
  channels: string[];
  /** Of the kind `group_matches`, and of no other. */
  watch: Watch | null;
}
/** More devices than so many that match a saved query; of the rule's region, if it has one. */
export interface Watch {
  group: string;
  aboveDevices: number;
}
type Row = typeof notificationRules.$inferSelect;
export type Rule = Omit<Row, 'watchedGroupId' | 'watchAbove' | 'watchTold'> & {
  channels: string[];
  watch: Watch | null;
};

export async function list(db: Db): Promise<Rule[]> {
  return withChannels(db, await db.select().from(notificationRules).orderBy(asc(notificationRules.name)));
}

export async function create(db: Db, { channels, watch, ...input }: RuleInput, actor: string): Promise<Rule> {
  return written(input.name, () =>
    db.transaction(async (tx) => {
      ensureWatch(input.kinds, watch);
      const values = { ...input, ...toColumns(watch), createdBy: actor };
      const [rule] = await tx.insert(notificationRules).values(values).returning();
      return link(tx, rule!, channels, 'create', actor);
    }),
  );
}

/** A field that is left out stays as it is. */
export async function change(
  db: Db,
  id: string,
  { channels, watch, ...input }: { [K in keyof RuleInput]?: RuleInput[K] | undefined },
  actor: string,
  expected = anything,
): Promise<Rule> {
  return written(input.name ?? '', () =>
    db.transaction(async (tx) => {
      const where = eq(notificationRules.id, id);
      const [before] = await tx.select().from(notificationRules).where(where).for('update');
      if (!before) throw notFound();
      expected.ensureIs(before.revision);
      const [old] = await withChannels(tx, [before]);
      const watched = watch === undefined ? old!.watch : watch;
      ensureWatch(input.kinds ?? before.kinds, watched);
      const [rule] = await tx
        .update(notificationRules)
        .set({ name: before.name, ...input, ...toColumns(watched) })
        .where(where)
        .returning();
      await tx.delete(notificationRuleChannels).where(eq(notificationRuleChannels.ruleId, id));
      return link(tx, rule!, channels ?? old!.channels, 'change', actor);
    }),
  );
}

export async function remove(db: Db, id: string, actor: string, expected = anything): Promise<void> {
  await db.transaction(async (tx) => {
    await expected.ensure(tx, notificationRules, id);
    const [rule] = await tx.delete(notificationRules).where(eq(notificationRules.id, id)).returning();
    if (!rule) throw notFound();
    const detail = { name: rule.name };
    await record(tx, { actor, action: 'notification_rule.delete', subject: id, detail });
  });
}

/** A rule of one region hears only of its devices, and not of what belongs to no region; what a rule watches concerns that rule alone. */
export function matches(
  rule: Pick<Rule, 'id' | 'enabled' | 'kinds' | 'regionId' | 'minSeverity'>,
  event: Pick<Told, 'kind' | 'severity' | 'data'> & { regionIds: string[] },
): boolean {
  return (
    rule.enabled &&
    (rule.kinds as string[]).includes(event.kind) &&
    (event.kind !== 'group_matches' || event.data.rule === rule.id) &&
    severities.indexOf(event.severity) >= severities.indexOf(rule.minSeverity) &&
    (rule.regionId === null || event.regionIds.includes(rule.regionId))
  );
}

/** When the rule lets that be told: what is critical at once, the rest not before the quiet hours end. */
export function dueAt(rule: Pick<Rule, 'quietHours'>, severity: Severity, now: number): number {
  if (!rule.quietHours || severity === 'critical') return now;
  const { from, to, timeZone } = rule.quietHours;
  const days = [...weekdays];
  const quiet: MaintenanceWindow = { from, to, days };
  if (!isOpen(quiet, timeZone, now)) return now;
  return nextOpening({ from: to, to: from, days }, timeZone, now) ?? now;
}

async function link(
  tx: Db,
  row: Row,
  channels: string[],
  act: 'create' | 'change',
  actor: string,
): Promise<Rule> {
  const rule = toRule(row);
  const rows = [...new Set(channels)].map((channelId) => ({ ruleId: rule.id, channelId }));
  await tx.insert(notificationRuleChannels).values(rows);
  const { id, createdAt: _, createdBy: __, revision: ___, ...detail } = rule;
  const action = `notification_rule.${act}` as const;
  await record(tx, { actor, action, subject: id, detail: { ...detail, channels } });
  return { ...rule, channels: rows.map((row) => row.channelId) };
}

async function withChannels(db: Db, rules: Row[]): Promise<Rule[]> {
  if (rules.length === 0) return [];
  const ids = rules.map((rule) => rule.id);
  const links = await db
    .select()
    .from(notificationRuleChannels)
    .where(inArray(notificationRuleChannels.ruleId, ids));
  return rules.map((rule) => ({
    ...toRule(rule),
    channels: links.filter((one) => one.ruleId === rule.id).map((one) => one.channelId),
  }));
}

function toRule({ watchedGroupId, watchAbove, watchTold: _, ...rest }: Row): Omit<Rule, 'channels'> {
  return {
    ...rest,
    watch: watchedGroupId === null ? null : { group: watchedGroupId, aboveDevices: watchAbove! },
  };
}

/** What is watched otherwise from now on has not been told. */
const toColumns = (watch: Watch | null) => ({
  watchedGroupId: watch?.group ?? null,
  watchAbove: watch?.aboveDevices ?? null,
  watchTold: false,
});

function ensureWatch(kinds: Kind[], watch: Watch | null): void {
  if (kinds.includes('group_matches') === (watch !== null)) return;
  throw new AppError(
    'invalid_request',
    watch ? 'watch: goes with the kind group_matches' : 'watch: group_matches needs what it watches',
  );
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such rule.');
}

async function written<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await orNameTaken(name, work);
  } catch (error) {
    if (sqlState(error) !== foreignKeyViolation) throw error;
    throw new AppError('unknown_reference', 'There is no such region, channel or group.', { cause: error });
  }
}
