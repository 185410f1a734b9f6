import { createServer } from 'node:http';
import { afterAll, expect, test } from 'vitest';
import { listen } from '../lab/primitives/listen.ts';
import { createFlota } from './client.ts';

const server = createServer((request, response) => {
  const isOld = request.url === '/api/groups';
  const headers = {
    Deprecation: '@1796083200',
    Sunset: 'Tue, 01 Jun 2027 00:00:00 GMT',
    Link: '</next>; rel="next", </api/docs#getGroups>; rel="deprecation"; type="text/html"',
  };
  response.writeHead(200, { 'content-type': 'application/json', ...(isOld && headers) }).end('[]');
});
afterAll(() => void server.close());

test('what is to go is warned of once, with when and where to read on', async () => {
  const url = `http://127.0.0.1:${await listen(server)}`;
  const warned: string[] = [];
  const flota = createFlota(url, {}, (line) => warned.push(line));
  await flota.GET('/api/policies');
  expect(warned).toEqual([]);
  for (let n = 0; n < 2; n++) await flota.GET('/api/groups');
  expect(warned).toEqual([
    `GET /api/groups is deprecated, and goes after Tue, 01 Jun 2027 00:00:00 GMT: ${url}/api/docs#getGroups. Is there a newer flota?`,
  ]);
});
