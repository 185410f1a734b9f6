import { createServer, type RequestListener, type Server } from 'node:http';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { listen } from '#deploy/lab/primitives/listen.ts';
import { ApiError, createSessionFetch } from './http.ts';

const servers: Server[] = [];

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  return `http://127.0.0.1:${await listen(server)}`;
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

const failure = (promise: Promise<unknown>): Promise<ApiError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error) => {
      expect(error).toBeInstanceOf(ApiError);
      return error as ApiError;
    },
  );

describe('a request that is answered with an error', () => {
  it('throws what the problem document says, field errors included', async () => {
    const url = await serve((_, response) => {
      response.writeHead(422, { 'content-type': 'application/problem+json' });
      response.end(
        JSON.stringify({
          title: 'Unprocessable',
          status: 422,
          code: 'invalid_input',
          detail: 'One field is wrong.',
          errors: [{ path: 'version', message: 'too long' }],
        }),
      );
    });
    const error = await failure(createSessionFetch({ fetch })(url));
    expect(error).toMatchObject({
      code: 'invalid_input',
      status: 422,
      detail: 'One field is wrong.',
      errors: [{ path: 'version', message: 'too long' }],
    });
  });

  it("is unknown, with its status, when the body is a proxy's HTML page", async () => {
    const url = await serve((_, response) => response.writeHead(502).end('<h1>Bad gateway</h1>'));
    expect(await failure(createSessionFetch({ fetch })(url))).toMatchObject({
      code: 'unknown',
      status: 502,
      detail: '502 Bad Gateway',
    });
  });

  it('is unreachable when nobody answers', async () => {
    const url = await serve((request) => request.socket.destroy());
    expect(await failure(createSessionFetch({ fetch })(url))).toMatchObject({
      code: 'unreachable',
      status: 0,
    });
  });

  it('stays an abort when the caller aborted it', async () => {
    const url = await serve(() => {});
    const abort = new AbortController();
    const request = createSessionFetch({ fetch })(url, { signal: abort.signal });
    abort.abort();
    await expect(request).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('a request after the session has ended', () => {
  it('waits for the login and is then sent again as it was', async () => {
    let loggedIn = false;
    const bodies: string[] = [];
    const url = await serve(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      bodies.push(`${request.method} ${body}`);
      response.writeHead(loggedIn ? 201 : 401).end('{}');
    });
    const send = createSessionFetch({
      fetch,
      askLogin: async () => {
        loggedIn = true;
      },
    });
    const response = await send(url, { method: 'POST', body: '{"version":"1"}' });
    expect(response.status).toBe(201);
    expect(bodies).toEqual(['POST {"version":"1"}', 'POST {"version":"1"}']);
  });

  it.each(['login_failed', 'totp_wrong'])(
    'asks for no login when it was told that a password or a code is wrong: %s',
    async (code) => {
      const url = await serve((_, response) => response.writeHead(401).end(JSON.stringify({ code })));
      const askLogin = vi.fn();
      await expect(createSessionFetch({ fetch, askLogin })(url)).rejects.toMatchObject({ code });
      expect(askLogin).not.toHaveBeenCalled();
    },
  );

  it('fails with 401 where no login can be asked for: at the login itself', async () => {
    const url = await serve((_, response) => response.writeHead(401).end('{"code":"invalid_credentials"}'));
    expect(await failure(createSessionFetch({ fetch })(url))).toMatchObject({
      status: 401,
      code: 'invalid_credentials',
    });
  });
});
