/** Names for generated clients: every operation gets an id of its own, the part of the API that it belongs to, and an example of its body. */
import { scopeOf } from '../auth/scopes.ts';
import { examples } from './examples.ts';

interface Operation {
  operationId?: string;
  tags?: string[];
  parameters?: object[];
  'x-access'?: string;
  'x-if-match'?: true;
  security?: Record<string, string[]>[];
  requestBody?: { content: Record<string, { example?: unknown }> };
}
const methods = ['get', 'post', 'put', 'patch', 'delete'];

const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'Sent again under the same key within a day, the request is answered as before and done once.',
  schema: { type: 'string', pattern: '^[!-~]{8,255}$' },
};

const ifMatch = {
  name: 'If-Match',
  in: 'header',
  description:
    'The ETag of what was looked at, or "REVISION" with its `revision`: 412 `changed_meanwhile` when somebody has changed it since.',
  schema: { type: 'string' },
};

/** Every operation of a document, in its order. */
export function operationsOf<O extends object>({ paths = {} }: { paths?: Record<string, object> }) {
  return Object.entries(paths).flatMap(([path, item]) =>
    methods
      .filter((method) => method in item)
      .map((method) => ({ method, path, operation: (item as Record<string, O>)[method]! })),
  );
}

/** By the first step of the path; what is not named here is a part of its own. */
const parts: Record<string, string> = {
  firmwares: 'firmware',
  s3: 'firmware',
  uploads: 'firmware',
  regions: 'places',
  divisions: 'places',
  groups: 'devices',
  'devices.csv': 'devices',
  hardware: 'devices',
  crashes: 'firmware',
  freezes: 'deployments',
  policies: 'deployments',
  calendar: 'deployments',
  approvals: 'deployments',
  approval_rules: 'deployments',
  bans: 'devices',
  issue_cert: 'certificates',
  login: 'accounts',
  logout: 'accounts',
  me: 'accounts',
  users: 'accounts',
  tokens: 'accounts',
  dead_letters: 'events',
  live: 'events',
  surroundings: 'devices',
  packages: 'firmware',
  encryption: 'firmware',
};

/** `post /api/deployments/{id}/retry_failed`: `postDeploymentsByIdRetryFailed`. It changes with the path and with nothing else. */
export function operationIdOf(method: string, path: string): string {
  const steps = path.replace(/^\/api\//, '').split('/');
  const words = steps.flatMap((step) =>
    step.startsWith('{') ? ['by', step.slice(1, -1)] : step.split(/[^A-Za-z0-9]+/),
  );
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** The document with all of that written in. */
export function nameOperations<D extends { paths?: Record<string, object> }>(
  document: D,
): D & { tags: object[] } {
  const tags = new Set<string>();
  for (const { method, path, operation } of operationsOf<Operation>(document)) {
    const first = path.split('/')[2]!;
    const tag = parts[first] ?? first;
    operation.operationId = operationIdOf(method, path);
    operation.tags = [tag];
    if (operation['x-access'] !== 'anyone') {
      const scope = scopeOf(method, path);
      operation.security = [{ session: [] }, { bearer: scope ? [scope] : [] }];
    }
    if (operation['x-if-match']) operation.parameters = [...(operation.parameters ?? []), ifMatch];
    const json = operation.requestBody?.content['application/json'];
    if (method === 'post' && operation['x-access'] !== 'anyone') {
      operation.parameters = [...(operation.parameters ?? []), idempotencyKey];
    }
    if (json) json.example = examples[operation.operationId];
    tags.add(tag);
  }
  return { ...document, tags: [...tags].sort().map((name) => ({ name })) };
}
