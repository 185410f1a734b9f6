/** What strangers send to a port, whatever listens there; each as it is, and cut off in the middle by a reset. */

export interface Tokens {
  /** Authorization headers that the listeners take, so that what is behind them is reached too. */
  bearer: string[];
  basic: string;
}

const crlf = (...lines: string[]) => Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1');
const request = (line: string, ...headers: string[]) =>
  crlf(`${line} HTTP/1.1`, 'Host: localhost', ...headers, '');

export function hostileBytes({ bearer, basic }: Tokens): Buffer[] {
  const [api, webhook] = bearer.map((token) => `Authorization: Bearer ${token}`) as [string, string];
  const key = `Authorization: Basic ${Buffer.from(basic).toString('base64')}`;
  const json = 'Content-Type: application/json';
  return [
    Buffer.alloc(0),
    Buffer.alloc(4_096),
    Buffer.alloc(70_000, 0xff),
    Buffer.from('\n\n\n\n'),
    // TLS: half a ClientHello, an alert, a record of nonsense.
    Buffer.from('160301020001000100', 'hex'),
    Buffer.from('15030300020100', 'hex'),
    Buffer.from('1603030005deadbeef00', 'hex'),
    // MQTT
    Buffer.from('100c00044d5154540402003c00004000', 'hex'),
    Buffer.from('30ffffff7f', 'hex'),
    // HTTP that is none
    crlf('GET / HTTP/1.1', ''),
    crlf('GET / HTTP/9.9', 'Host: x', ''),
    crlf('PRI * HTTP/2.0', '', 'SM', ''),
    crlf('GET / HTTP/1.1', 'Host: a', 'Host: b', ''),
    crlf('GET / HTTP/1.1', 'Host: ][', ''),
    crlf('GET / HTTP/1.1', `X: ${'x'.repeat(100_000)}`, ''),
    request('\0 /'),
    ...[
      '//',
      '//[',
      'http://[',
      '*',
      '/%',
      '/%E0%A4%A',
      '/a/../..',
      '/\xff',
      `/${'a'.repeat(20_000)}`,
      '/api/v5//',
      '/flota/%00',
      '/?%',
    ].map((path) => request(`GET ${path}`)),
    ...['OPTIONS *', 'CONNECT a:1', 'TRACE /', 'HEAD /', 'DELETE /', 'PATCH /flota/x', 'SOURCE /'].map(
      (line) => request(line),
    ),
    request(
      'GET /',
      'Connection: Upgrade',
      'Upgrade: websocket',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: x',
    ),
    request('GET /', 'Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: x'),
    // Bodies that lie, or never come
    Buffer.concat([request('POST /', 'Content-Length: 5', 'Content-Length: 6'), Buffer.from('12345')]),
    Buffer.concat([
      request('POST /', 'Content-Length: 5', 'Transfer-Encoding: chunked'),
      Buffer.from('0\r\n\r\n'),
    ]),
    request('POST /', 'Content-Length: -1'),
    request('POST /', 'Expect: 100-continue', 'Content-Length: 10'),
    request('PUT /flota/x', 'Expect: 200-ok', 'Content-Length: 10'),
    Buffer.concat([request('POST /', 'Transfer-Encoding: chunked'), Buffer.from('zz\r\nx\r\n')]),
    ...[
      ['POST /emqx/events', webhook],
      ['POST /api/v5/publish/bulk', key],
      ['PUT /api/v5/configs?mode=merge', key],
      ['POST /api/devices', api],
      ['POST /api/issue_cert', api],
      ['POST /api/auth/login', ''],
      ['PUT /flota/x', ''],
    ].flatMap(([line, authorization]) => [
      Buffer.concat([
        request(line!, authorization || 'X: y', json, 'Content-Length: 100'),
        Buffer.from('{"a":'),
      ]),
      Buffer.concat([
        request(line!, authorization || 'X: y', json, 'Transfer-Encoding: chunked'),
        Buffer.from('5\r\n{"a":'),
      ]),
      Buffer.concat([
        request(line!, authorization || 'X: y', json, 'Content-Length: 5000'),
        Buffer.alloc(5_000, '['),
      ]),
      Buffer.concat([
        request(line!, authorization || 'X: y', json, 'Content-Length: 4'),
        Buffer.from('null'),
      ]),
    ]),
    // Answers that go on, and are not read
    request('GET /api/live', api),
    request('GET /metrics'),
    request('GET /api/v5/clients', key),
    request('GET /api/v5/clients/%', key),
    request('GET /crl/crl.pem', 'Range: bytes=1-0,9-'),
    request('GET /api/devices', api, 'Accept: application/x-ndjson'),
    Buffer.concat(Array.from({ length: 200 }, () => request('GET /api/regions', api))),
  ];
}
