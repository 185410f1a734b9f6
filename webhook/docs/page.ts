/** The docs page: the OpenAPI document as plain HTML, without any script, so nothing of it comes from elsewhere. */
import { operationsOf } from './operations.ts';

interface Schema {
  [key: string]: unknown;
}
interface Operation {
  operationId?: string;
  summary?: string;
  'x-sunset'?: string;
  'x-access'?: string;
  security?: Record<string, string[]>[];
  parameters?: { name: string; in: string; required?: boolean; schema?: Schema }[];
  requestBody?: { content: Record<string, { schema?: Schema; example?: unknown }> };
  responses?: Record<string, { description?: string; content?: Record<string, { schema?: Schema }> }>;
}
export interface Document {
  info: { title: string; version: string };
  paths?: Record<string, object>;
  components?: { schemas?: Record<string, unknown> };
}

const style = `body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}
code,pre{font:13px/1.45 ui-monospace,monospace}pre{overflow:auto;padding:.6rem;border:1px solid #8884;border-radius:4px}
details{border-bottom:1px solid #8884;padding:.4rem 0}summary{cursor:pointer}b{display:inline-block;min-width:4rem}
small{opacity:.75}h2{margin-top:2.5rem}table{border-collapse:collapse}td{padding:.1rem 1rem .1rem 0;vertical-align:top}`;

export function writeDocs(document: Document): string {
  const operations = operationsOf<Operation>(document).map(({ method, path, operation }) =>
    writeOperation(method, path, operation),
  );
  const schemas = Object.entries(document.components?.schemas ?? {}).map(
    ([name, schema]) =>
      `<details id="${escapeHtml(name)}"><summary><code>${escapeHtml(name)}</code></summary>${pre(schema)}</details>`,
  );
  const title = `${document.info.title}: REST API`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title><style>${style}</style><h1>${escapeHtml(title)}</h1>
<p>Log in with <code>POST /api/login</code> (a cookie), or send <code>Authorization: Bearer &lt;API token&gt;</code>. Each role may do
what the ones before it may: viewer, operator, admin; a token with scopes only what one of them names, too. Errors are <code>application/problem+json</code> with a stable <code>code</code>.
The same as data: <a href="/api/openapi.json">openapi.json</a>; what devices say and hear: <a href="/api/asyncapi.json">asyncapi.json</a>.</p>
${operations.join('\n')}<h2>Schemas</h2>${schemas.join('\n')}</html>`;
}

const sunsetOf = ({ 'x-sunset': sunset }: Operation): string[] =>
  sunset ? [`deprecated, goes after ${sunset}`] : [];

function writeOperation(method: string, path: string, operation: Operation): string {
  const parameters = (operation.parameters ?? []).map(
    (p) =>
      `<tr><td><code>${escapeHtml(p.name)}</code><td>${escapeHtml(p.in)}${p.required ? ', required' : ''}<td><code>${escapeHtml(
        JSON.stringify(p.schema ?? {}),
      )}</code>`,
  );
  const bodies = Object.entries(operation.requestBody?.content ?? {}).map(
    ([type, { schema, example }]) =>
      `<p>Body <code>${escapeHtml(type)}</code></p>${pre(schema)}${example ? `<p>Example</p>${pre(example)}` : ''}`,
  );
  const responses = Object.entries(operation.responses ?? {}).map(([status, { description, content }]) => {
    const schema = Object.values(content ?? {})[0]?.schema;
    return `<p>${escapeHtml(status)}: ${escapeHtml(description ?? '')}</p>${schema ? pre(schema) : ''}`;
  });
  return `<details${operation.operationId ? ` id="${escapeHtml(operation.operationId)}"` : ''}><summary><b>${method.toUpperCase()}</b> <code>${escapeHtml(path)}</code>
<small>${escapeHtml([operation.summary, operation['x-access'], ...scopesOf(operation), ...sunsetOf(operation)].join(' · '))}</small></summary>
${parameters.length ? `<table>${parameters.join('')}</table>` : ''}${bodies.join('')}${responses.join('')}</details>`;
}

const scopesOf = ({ security = [] }: Operation) => security.flatMap(({ bearer = [] }) => bearer);

function pre(schema: unknown): string {
  const text = escapeHtml(JSON.stringify(schema ?? {}, null, 2));
  return `<pre>${text.replace(/#\/components\/schemas\/(\w+)/g, '<a href="#$1">$1</a>')}</pre>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
