import type { DeviceFilter } from '../../api.ts';

export const quote = (value: string) => `"${value.replace(/["\\]/g, '\\$&')}"`;

/** What the filters of the page show, as one query; empty when they show every device. Regions and divisions go by their names. */
export function asQuery(filter: DeviceFilter, names: { region?: string; division?: string }): string {
  const search = filter.search && quote(filter.search);
  const places = {
    region: filter.region && (names.region ?? filter.region),
    division: filter.division && (names.division ?? filter.division),
  };
  const parts = [
    filter.q,
    search && `id ~ ${search} or name ~ ${search}`,
    places.region && `region = ${quote(places.region)}`,
    places.division && `division = ${quote(places.division)}`,
    filter.hardware && `hardware = ${quote(filter.hardware)}`,
    filter.tag && `tag = ${quote(filter.tag)}`,
    filter.online && `online = ${filter.online === 'true' ? 'yes' : 'no'}`,
  ].filter((part) => part !== undefined && part !== '');
  if (parts.length === 1) return parts[0]!;
  return parts.map((part) => (/\bor\b/i.test(part!) ? `(${part})` : part)).join(' and ');
}
