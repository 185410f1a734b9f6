import { api } from './api.ts';
import { createLoad } from './load.ts';

/** All regions and divisions, for who chooses among them. */
export function createPlaces() {
  const regions = createLoad(
    () => true,
    (_, signal) => api.listRegions(signal),
  );
  const divisions = createLoad(
    () => true,
    (_, signal) => api.listDivisions(signal),
  );
  return { regions, divisions };
}
