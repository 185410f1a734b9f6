/** Regions and divisions by their names, as people know them. */
import { type Flota, insist } from './client.ts';
import { CliError } from './errors.ts';

/** Their ids; an id stands for itself. */
export async function findPlaces(
  flota: Flota,
  path: '/api/regions' | '/api/divisions',
  names: string[],
): Promise<string[]> {
  if (names.length === 0) return [];
  const places = await insist(flota.GET(path));
  return names.map((name) => {
    const place = places.find((one) => one.name === name || one.id === name);
    if (place) return place.id;
    const known = places.map((one) => one.name).join(', ') || 'none';
    throw CliError.of(
      'place_unknown',
      `There is no ${path === '/api/regions' ? 'region' : 'division'} "${name}".`,
      `There are: ${known}`,
    );
  });
}
