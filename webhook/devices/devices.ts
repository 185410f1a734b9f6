import { and, arrayContains, eq, inArray, or, type SQL, sql } from 'drizzle-orm';
import { record } from '../audit/audit.ts';
import * as certificates from '../certificates/certificates.ts';
import { revokeAll } from '../certificates/revocation.ts';
import * as crashes from '../crashes/crashes.ts';
import type { Total } from '../db/count.ts';
import { type Db, foreignKeyViolation, sqlState, uniqueViolation } from '../db/query.ts';
import { anything } from '../db/revision.ts';
import { contains } from '../db/search.ts';
import * as history from '../deployments/history.ts';
import { markJoinable } from '../deployments/store.ts';
import { AppError } from '../errors.ts';
import * as telemetry from '../telemetry/telemetry.ts';
import { toExpected } from './expected.ts';
import { type DeviceChange, type DeviceView, type NewDevice, toldFields } from './fields.ts';
import * as incidents from './incidents.ts';
import { findPage, orders, type Sort, walkToPage } from './page.ts';
import { compile } from './query/compile.ts';
import type { Query } from './query/grammar.ts';
import { beyondReach, ensureKept, everything, type Reach, unknownPlace } from './reach.ts';
import { components, devices, divisions, regions } from './table.ts';
import { countTallied, isTallied } from './tallies.ts';

export interface DeviceFilter {
  search?: string | undefined;
  region?: string | undefined;
  division?: string | undefined;
  hardware?: string | undefined;
  tag?: string | undefined;
  online?: boolean | undefined;
  query?: Query | undefined;
}
export type DevicePage = DeviceFilter & {
  sort?: Sort | undefined;
  /** Else to ten thousand behind the page, where tallies do not know. */
  count?: 'exact' | undefined;
  limit: number;
  offset: number;
  cursor?: string | undefined;
};

export async function list(
  db: Db,
  reach: Reach,
  filter: DevicePage,
): Promise<{ items: DeviceView[]; next: string | null } & Total> {
  const where = and(reach.on(), matching(filter));
  const { search, tag, query, sort = 'id', limit, offset, cursor } = filter;
  const paging = { limit, offset, cursor };
  const { ids, ...page } =
    isTallied(reach) && !search && !tag && !query
      ? { ...(await walkToPage(db, where, sort, paging)), total: await countTallied(db, reach, filter) }
      : await findPage(db, where, sort, paging, filter.count);
  return { items: await read(db, ids, sort), ...page };
}

async function read(db: Db, ids: string[], sort: Sort): Promise<DeviceView[]> {
  const rows = await select(db)
    .where(inArray(devices.id, ids))
    .orderBy(...orders[sort].by);
  return view(db, rows);
}

const pageSize = 1_000;

/**
 * All of them, a page at a time, so that neither this copy nor the database holds a million. There is always a first page. Each goes on where the one
 * before ended and nobody counts, so that all together are one walk.
 */
export async function* listPages(
  db: Db,
  reach: Reach,
  { sort = 'id', ...filter }: DeviceFilter & Pick<DevicePage, 'sort'>,
): AsyncGenerator<DeviceView[]> {
  const where = and(reach.on(), matching(filter));
  let cursor: string | undefined;
  do {
    const { ids, next } = await walkToPage(db, where, sort, { limit: pageSize, offset: 0, cursor });
    yield read(db, ids, sort);
    cursor = next ?? undefined;
  } while (cursor);
}

function matching(filter: DeviceFilter): SQL | undefined {
  return and(
    filter.search
      ? or(contains(devices.id, filter.search), contains(devices.name, filter.search))
      : undefined,
    filter.region ? eq(devices.regionId, filter.region) : undefined,
    filter.division ? eq(devices.divisionId, filter.division) : undefined,
    filter.hardware ? eq(devices.hardware, filter.hardware) : undefined,
    filter.tag ? arrayContains(devices.tags, [filter.tag]) : undefined,
    filter.online === undefined ? undefined : eq(devices.online, filter.online),
    filter.query && compile(filter.query),
  );
}

export async function get(db: Db, reach: Reach, id: string): Promise<DeviceView> {
  const rows = await select(db).where(and(eq(devices.id, id), reach.on()));
  const [device] = await view(db, rows);
  if (!device) throw notFound();
  return device;
}

export async function create(
  db: Db,
  { region, division, ...told }: NewDevice & { name: string },
  actor: string,
): Promise<DeviceView> {
  try {
    await db.transaction(async (tx) => {
      await tx.insert(devices).values({
        ...told,
        regionId: region ?? null,
        divisionId: division ?? null,
      });
      await markJoinable(tx);
      await record(tx, { actor, action: 'device.create', subject: told.id });
    });
  } catch (error) {
    if (sqlState(error) === uniqueViolation) {
      throw new AppError('device_exists', `Device ${told.id} is registered already.`, { cause: error });
    }
    throw asUnknownReference(error);
  }
  return get(db, everything, told.id);
}

/** Throws `unknown_reference` for a place beyond the reach, and `beyond_reach` for what would take the device out of it. */
export async function change(
  db: Db,
  reach: Reach,
  id: string,
  input: DeviceChange,
  actor: string,
  expected = anything,
): Promise<DeviceView> {
  const { region, division, ...told } = input;
  try {
    await db.transaction(async (tx) => {
      const [has] = await tx
        .select({ region: devices.regionId, division: devices.divisionId, revision: devices.revision })
        .from(devices)
        .where(and(eq(devices.id, id), reach.on()))
        .for('no key update');
      if (!has) throw notFound();
      expected.ensureIs(has.revision);
      ensureKept(reach, input, has);
      const changed = await tx
        .update(devices)
        .set({
          ...told,
          ...(region !== undefined && { regionId: region }),
          ...(division !== undefined && { divisionId: division }),
          revision: sql`${devices.revision} + 1`,
        })
        .where(eq(devices.id, id))
        .returning({ within: reach.on() });
      if (changed[0]!.within !== true) throw beyondReach();
      await markJoinable(tx);
      await record(tx, { actor, action: 'device.change', subject: id, detail: { ...input } });
    });
  } catch (error) {
    throw asUnknownReference(error);
  }
  return get(db, reach, id);
}

/**
 * With all that is kept of it; its past updates leave their deployments' counts. Throws `in_use` while an update has not ended. Its
 * certificates are revoked; the caller kicks it. Nothing that an unregistered device says is taken in.
 */
export async function remove(
  db: Db,
  reach: Reach,
  id: string,
  actor: string,
  expected = anything,
): Promise<void> {
  await db.transaction(async (tx) => {
    // Until the end, no deployment can choose it any more.
    const [row] = await tx
      .select({ revision: devices.revision })
      .from(devices)
      .where(and(eq(devices.id, id), reach.on()))
      .for('update');
    if (!row) throw notFound();
    expected.ensureIs(row.revision);
    if (await history.isBusy(tx, id)) {
      throw new AppError('in_use', 'An update of this device has not ended: cancel it first.');
    }
    await history.forgetDevice(tx, id);
    await telemetry.forgetDevice(tx, id);
    await incidents.forgetDevice(tx, id);
    await crashes.forgetDevice(tx, id);
    await certificates.forgetDevice(tx, id);
    await revokeAll(tx, { device: id }, 'cessationOfOperation', actor);
    await tx.delete(devices).where(eq(devices.id, id));
    await record(tx, { actor, action: 'device.delete', subject: id });
  });
}

/** Its last health report as it came, or null before any. */
export async function getHealth(db: Db, reach: Reach, id: string): Promise<Record<string, unknown> | null> {
  const [row] = await db
    .select({ health: devices.health })
    .from(devices)
    .where(and(eq(devices.id, id), reach.on()));
  if (!row) throw notFound();
  return row.health as Record<string, unknown> | null;
}

function notFound(): AppError {
  return new AppError('not_found', 'There is no such device.');
}

function asUnknownReference(error: unknown): unknown {
  if (sqlState(error) !== foreignKeyViolation) return error;
  return unknownPlace(error);
}

function select(db: Db) {
  const division = { id: divisions.id, name: divisions.name };
  return db
    .select({ device: devices, region: { id: regions.id, name: regions.name }, division })
    .from(devices)
    .leftJoin(regions, eq(regions.id, devices.regionId))
    .leftJoin(divisions, eq(divisions.id, devices.divisionId))
    .$dynamic();
}

type Row = Awaited<ReturnType<typeof select>>[number];
/** PostgreSQL takes at most 65,535 parameters a statement. */
const rowsPerLookup = 5_000;

async function view(db: Db, rows: Row[]): Promise<DeviceView[]> {
  const views: DeviceView[] = [];
  for (let i = 0; i < rows.length; i += rowsPerLookup) {
    views.push(...(await viewSome(db, rows.slice(i, i + rowsPerLookup))));
  }
  return views;
}

async function viewSome(db: Db, rows: Row[]): Promise<DeviceView[]> {
  const ids = rows.map((row) => row.device.id);
  const running = await db
    .select()
    .from(components)
    .where(inArray(components.deviceId, ids))
    .orderBy(components.component);
  const byDevice = new Map<string, typeof running>();
  for (const row of running) byDevice.set(row.deviceId, [...(byDevice.get(row.deviceId) ?? []), row]);
  const current = await certificates.findCurrent(db, ids);
  return rows.map(({ device, region, division }) => ({
    ...pick(device, toldFields),
    id: device.id,
    region,
    division,
    online: device.online,
    health: (device.health as { state?: DeviceView['health'] } | null)?.state ?? null,
    connectedAt: device.connectedAt?.toISOString() ?? null,
    lastSeenAt: device.lastSeenAt?.toISOString() ?? null,
    running: (byDevice.get(device.id) ?? []).map((c) => ({
      component: c.component,
      hardware: c.hardware,
      version: c.version,
      sha256: c.sha256,
      securityVersion: c.securityVersion,
      expected: toExpected(c),
    })),
    certificate: current.get(device.id) ?? null,
    createdAt: device.createdAt.toISOString(),
    revision: device.revision,
  }));
}

function pick<T, K extends keyof T>(from: T, names: readonly K[]): Pick<T, K> {
  return Object.fromEntries(names.map((name) => [name, from[name]])) as Pick<T, K>;
}
