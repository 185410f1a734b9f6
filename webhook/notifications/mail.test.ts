/** A mail server that goes on answering and never comes to an end. No database. */
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { createMailer } from './mail.ts';

test('a mail is given up after a while, though its server says a little all the time', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {}).write('220 mail.test\r\n');
    const drip = setInterval(() => socket.write('2'), 20);
    socket.on('close', () => clearInterval(drip)).resume();
  });
  const port = await listen(server);
  const settings = { url: `smtp://127.0.0.1:${port}`, from: 'flota@example.com', requireTls: false };
  const mail = { to: ['ops@example.com'], subject: 'x', text: 'x', id: '1' };
  const sent = createMailer(settings, 100)(mail);
  const late = new Promise((resolve) => setTimeout(resolve, 5_000, 'still at it'));
  expect(await Promise.race([sent, late])).toMatchObject({ status: null, fault: 'timed_out' });
  server.close();
});
