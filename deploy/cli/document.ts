/**
 * What of the API's OpenAPI document the command line uses, without the words for people: its client's types are made from this, so a
 * change elsewhere in the API leaves them alone.
 */
import { createHash } from 'node:crypto';
import { type Document, readDocument } from '#webhook/docs/document.ts';

const used = [
  '/api/login',
  '/api/logout',
  '/api/me',
  '/api/me/tokens',
  '/api/tokens',
  '/api/tokens/{id}',
  '/api/uploads',
  '/api/uploads/{id}/parts',
  '/api/uploads/{id}/complete',
  '/api/firmwares/metadata',
  '/api/firmware/{id}/manifest',
  '/api/firmware/{id}/patches',
  '/api/firmware/{id}/patches/manifest',
  '/api/firmware/{id}/sbom',
  '/api/firmware/{id}/vex',
  '/api/packages',
  '/api/packages/devices',
  '/api/vulnerabilities',
  '/api/vulnerabilities/feed',
  '/api/vulnerabilities/{id}',
  '/api/vulnerabilities/{id}/devices',
  '/api/vulnerabilities/{id}/statements',
  '/api/vulnerabilities/{id}/evidence',
  '/api/regions',
  '/api/regions/{id}',
  '/api/divisions',
  '/api/divisions/{id}',
  '/api/groups',
  '/api/groups/{id}',
  '/api/policies',
  '/api/policies/{id}',
  '/api/notifications/channels',
  '/api/notifications/channels/{id}',
  '/api/notifications/rules',
  '/api/notifications/rules/{id}',
  '/api/approval_rules',
  '/api/encryption',
  '/api/claims',
  '/api/claims/{id}',
  '/api/devices',
  '/api/devices/{id}',
  '/api/devices/{id}/logs',
  '/api/devices/{id}/firmware_history',
  '/api/deployments',
  '/api/deployments/dry_run',
  '/api/deployments/{id}',
  '/api/deployments/{id}/targets',
  '/api/deployments/{id}/cancel',
  '/api/deployments/{id}/undo',
  '/api/certificates',
  '/api/crashes',
  '/api/crashes/{id}',
  '/api/live',
];
const words = new Set(['summary', 'description', 'example', 'pattern', 'tags', 'security', 'x-access']);

export async function readUsed(): Promise<object> {
  const { paths, components, ...rest } = withoutWords(await readDocument()) as Document;
  const kept = Object.fromEntries(used.map((path) => [path, paths[path]!]));
  // The product's version is no matter of the types.
  const info = { title: 'Flota', version: '1' };
  return { ...rest, info, paths: kept, components: { schemas: referred(kept, components.schemas) } };
}

function withoutWords(value: unknown, within = ''): unknown {
  if (Array.isArray(value)) return value.map((item) => withoutWords(item));
  if (typeof value !== 'object' || value === null) return value;
  // A property may have the name of one of the words.
  const entries = Object.entries(value).filter(([name]) => within === 'properties' || !words.has(name));
  return Object.fromEntries(entries.map(([name, inner]) => [name, withoutWords(inner, name)]));
}

function referred(paths: object, schemas: Record<string, object>): Record<string, object> {
  const found = new Map<string, object>();
  const seek = (text: string) => {
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      if (found.has(name!)) continue;
      found.set(name!, schemas[name!]!);
      seek(JSON.stringify(schemas[name!]));
    }
  };
  seek(JSON.stringify(paths));
  return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function digestOf(document: object): string {
  return createHash('sha256').update(JSON.stringify(document)).digest('hex');
}
