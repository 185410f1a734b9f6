import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { askEarly, takeEarly } from './early.ts';

it('gives an answer that was asked for early once, and to nobody who wants another', async () => {
  let requests = 0;
  const server = createServer((_, answer) => answer.end(String(++requests)));
  const url = `http://127.0.0.1:${await listen(server)}/`;
  askEarly(url);
  expect(takeEarly(`${url}other`)).toBeUndefined();
  expect(await (await takeEarly(url))?.text()).toBe('1');
  expect(takeEarly(url)).toBeUndefined();
  server.closeAllConnections();
  server.close();
});
