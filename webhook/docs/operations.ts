/** Names for generated clients: every operation gets an id of its own and the part of the API that it belongs to. */
interface Operation {
  operationId?: string;
  tags?: string[];
}
const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** By the first step of the path; what is not named here is a part of its own. */
const parts: Record<string, string> = {
  firmwares: 'firmware',
  s3: 'firmware',
  regions: 'places',
  divisions: 'places',
  hardware: 'devices',
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
};

/** `post /api/deployments/{id}/retry_failed`: `postDeploymentsByIdRetryFailed`. It changes with the path and with nothing else. */
export function operationIdOf(method: string, path: string): string {
  const steps = path.replace(/^\/api\//, '').split('/');
  const words = steps.flatMap((step) =>
    step.startsWith('{') ? ['by', step.slice(1, -1)] : step.split(/[^A-Za-z0-9]+/),
  );
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
}

/** The document with both written in. */
export function nameOperations<D extends { paths?: Record<string, object> }>(
  document: D,
): D & { tags: object[] } {
  const tags = new Set<string>();
  for (const [path, item] of Object.entries(document.paths ?? {})) {
    const first = path.split('/')[2]!;
    const tag = parts[first] ?? first;
    for (const method of methods) {
      const operation = (item as Partial<Record<string, Operation>>)[method];
      if (!operation) continue;
      operation.operationId = operationIdOf(method, path);
      operation.tags = [tag];
      tags.add(tag);
    }
  }
  return { ...document, tags: [...tags].sort().map((name) => ({ name })) };
}
