import { and, asc, count, eq, ilike, inArray, or, sql } from 'drizzle-orm';
import type { PgTable } from 'drizzle-orm/pg-core';
import { record } from '../audit/audit.ts';
import { findCurrent } from '../certificates/certificates.ts';
import { type Db, foreignKeyViolation, sqlState, uniqueViolation } from '../db/connect.ts';
import { AppError } from '../errors.ts';
import { components, devices, divisions, regions } from './table.ts';

export interface DeviceView {
  id: string;
  name: string;
  region: { id: string; name: string } | null;
  division: { id: string; name: string } | null;
  hardware: string;
  online: boolean;
  connectedAt: string | null;
  lastSeenAt: string | null;
  running: { component: string; version: string; sha256: string; securityVersion: number }[];
  certificate: { serial: string; notAfter: string } | null;
  createdAt: string;
}

export interface DeviceFilter {
  search?: string | undefined;
  region?: string | undefined;
  division?: string | undefined;
  hardware?: string | undefined;
  limit?: number | undefined;
  offset: number;
}

export async function list(db: Db, filter: DeviceFilter): Promise<{ items: DeviceView[]; total: number }> {
  const pattern = filter.search ? `%${filter.search.replace(/[\\%_]/g, '\\$&')}%` : null;
  const where = and(
    pattern ? or(ilike(devices.id, pattern), ilike(devices.name, pattern)) : undefined,
    filter.region ? eq(devices.regionId, filter.region) : undefined,
    filter.division ? eq(devices.divisionId, filter.division) : undefined,
    filter.hardware ? eq(devices.hardware, filter.hardware) : undefined,
  );
  const rows = select(db).where(where).orderBy(asc(devices.id));
  const items = await (filter.limit ? rows.limit(filter.limit).offset(filter.offset) : rows);
  const [total] = await db.select({ value: count() }).from(devices).where(where);
  return { items: await view(db, items), total: total!.value };
}

export async function get(db: Db, id: string): Promise<DeviceView> {
  const rows = await select(db).where(eq(devices.id, id));
  const [device] = await view(db, rows);
  if (!device) throw new AppError('not_found', 'There is no such device.');
  return device;
}

export async function create(
  db: Db,
  input: {
    id: string;
    hardware: string;
    name: string;
    region?: string | undefined;
    division?: string | undefined;
  },
  actor: string,
): Promise<DeviceView> {
  try {
    await db.transaction(async (tx) => {
      await tx.insert(devices).values({
        id: input.id,
        name: input.name,
        hardware: input.hardware,
        regionId: input.region ?? null,
        divisionId: input.division ?? null,
      });
      await record(tx, { actor, action: 'device.create', subject: input.id });
    });
  } catch (error) {
    if (sqlState(error) === uniqueViolation) {
      throw new AppError('device_exists', `Device ${input.id} is registered already.`, { cause: error });
    }
    if (sqlState(error) === foreignKeyViolation) {
      throw new AppError('unknown_reference', 'There is no such region or division.', { cause: error });
    }
    throw error;
  }
  return get(db, input.id);
}

/** How many devices run this image, by their last attested report. */
export async function countRunning(db: Db, component: string, sha256: string): Promise<number> {
  const [row] = await db
    .select({ value: count() })
    .from(components)
    .where(and(eq(components.component, component), eq(components.sha256, sha256)));
  return row!.value;
}

export type Place = 'regions' | 'divisions';
const places = {
  regions: { table: regions, column: devices.regionId },
  divisions: { table: divisions, column: devices.divisionId },
};

/** Regions or divisions, by name, with how many devices each has. */
export async function listPlaces(db: Db, place: Place) {
  const { table, column } = places[place];
  return db
    .select({ id: table.id, name: table.name, devices: count(devices.id) })
    .from(table as PgTable)
    .leftJoin(devices, eq(column, table.id))
    .groupBy(table.id, table.name)
    .orderBy(asc(table.name));
}

export async function createPlace(db: Db, place: Place, name: string, actor: string) {
  const { table } = places[place];
  try {
    return await db.transaction(async (tx) => {
      const [row] = await tx.insert(table).values({ name }).returning();
      await record(tx, { actor, action: `${place}.create`, subject: row!.id, detail: { name } });
      return { ...row!, devices: 0 };
    });
  } catch (error) {
    if (sqlState(error) === uniqueViolation) {
      throw new AppError('name_taken', `${name} is there already.`, { cause: error });
    }
    throw error;
  }
}

function select(db: Db) {
  return db
    .select({ device: devices, region: regions, division: divisions })
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
  const certificates = await findCurrent(db, ids);
  return rows.map(({ device, region, division }) => ({
    id: device.id,
    name: device.name,
    region,
    division,
    hardware: device.hardware,
    online: device.online,
    connectedAt: device.connectedAt?.toISOString() ?? null,
    lastSeenAt: device.lastSeenAt?.toISOString() ?? null,
    running: (byDevice.get(device.id) ?? []).map(({ component, version, sha256, securityVersion }) => ({
      component,
      version,
      sha256,
      securityVersion,
    })),
    certificate: certificates.get(device.id) ?? null,
    createdAt: device.createdAt.toISOString(),
  }));
}

/** Condition on `devices`: in any of the regions or divisions, or named itself. */
export function chosen(selection: { regions: string[]; divisions: string[]; devices: string[] }) {
  return or(
    selection.regions.length ? inArray(devices.regionId, selection.regions) : sql`false`,
    selection.divisions.length ? inArray(devices.divisionId, selection.divisions) : sql`false`,
    selection.devices.length ? inArray(devices.id, selection.devices) : sql`false`,
  );
}
