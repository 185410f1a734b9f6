/**
 * Two stand-ins behind one address that answers as a cluster of EMQX does (emqx_mgmt_api_configs, emqx_rule_engine_api and
 * emqx_bridge_v2_api of 5.8.9): changes go to both, lists are the first one's, a node's configuration is its own, counts come by node. What is
 * written to one of them directly is what a partition leaves behind.
 */
import http from 'node:http';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { node as ownName } from './api-answers.ts';
import { startTestBed, type TestBed } from './test-broker.ts';

export interface TestCluster {
  url: string;
  a: TestBed;
  b: TestBed;
  /** Requests of a node that are not answered: it does not answer the others in time, either. */
  silent: Set<string>;
  close(): Promise<void>;
}

export async function startTestCluster(): Promise<TestCluster> {
  const [a, b] = [await startTestBed({}), await startTestBed({})];
  const nodes = { 'emqx@a': a, 'emqx@b': b };
  const silent = new Set<string>();
  const answer = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; text: string }> => {
    const ask = async (bed: TestBed, to = path) => {
      const told = await bed.api(method, to, body);
      return {
        status: told.status,
        text: typeof told.body === 'string' ? told.body : JSON.stringify(told.body),
      };
    };
    const entries = Object.entries(nodes);
    if (path === '/nodes') {
      const all = entries.map(([node]) => ({ node, node_status: 'running', version: '5.8.9', role: 'core' }));
      return { status: 200, text: JSON.stringify(all) };
    }
    if (path.startsWith('/configs?')) {
      const query = new URLSearchParams(path.split('?')[1]);
      const name = query.get('node') as keyof typeof nodes;
      if (silent.has(name) || !nodes[name])
        return { status: 404, text: '{"code":"NOT_FOUND","message":"Bad node"}' };
      query.set('node', ownName);
      return ask(nodes[name], `/configs?${query}`);
    }
    if (method === 'GET' && path.endsWith('/metrics')) {
      const told = await Promise.all(
        entries.map(async ([node, bed]) => ({ node, ...(await bed.api(method, path)) })),
      );
      const counted = told.filter(({ node }) => !silent.has(node));
      // A node that lacks it tells zeros.
      const metrics = ({ status, body: told }: (typeof counted)[number]) =>
        status === 200 ? told.metrics : {};
      const node_metrics = counted.map((one) => ({ node: one.node, metrics: metrics(one) }));
      return { status: told[0]!.status, text: JSON.stringify({ metrics: 'not used', node_metrics }) };
    }
    if (method !== 'GET' && path !== '/rule_test') await ask(b);
    return ask(a);
  };
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const path = request.url!.replace('/api/v5', '');
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString('utf8')) : undefined;
    const { status, text } = await answer(request.method!, path, body);
    response.writeHead(status, { 'content-type': 'application/json' }).end(status === 204 ? undefined : text);
  });
  return {
    url: `http://127.0.0.1:${await listen(server)}`,
    ...{ a, b, silent },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await a.close();
      await b.close();
    },
  };
}
