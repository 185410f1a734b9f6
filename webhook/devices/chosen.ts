/** Which devices somebody has chosen for a deployment. */
import { inArray, or, type SQL, sql } from 'drizzle-orm';
import { devices } from './table.ts';

export interface Chosen {
  /** Every device with the firmware's hardware. */
  all: boolean;
  regions: string[];
  divisions: string[];
  devices: string[];
}

/** Condition on `devices`: in any of the regions or divisions, or named itself, or (with `all`) as `fits` says. */
export function chosen(selection: Chosen, fits: SQL) {
  return or(
    selection.all ? fits : sql`false`,
    selection.regions.length ? inArray(devices.regionId, selection.regions) : sql`false`,
    selection.divisions.length ? inArray(devices.divisionId, selection.divisions) : sql`false`,
    selection.devices.length ? inArray(devices.id, selection.devices) : sql`false`,
  );
}
