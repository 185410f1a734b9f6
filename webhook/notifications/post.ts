/**
 * One POST to an address that somebody else has written: the name is resolved once, every address of it is judged, and the connection
 * goes to the very address that was judged. No redirect is followed, little is read, and all of it takes at most so long.
 */
import { lookup } from 'node:dns/promises';
import http from 'node:http';
import https from 'node:https';
import { isIP } from 'node:net';
import type { Networks } from './networks.ts';
import type { Fault } from './table.ts';

export interface Address {
  address: string;
  family: number;
}
export type Resolve = (host: string) => Promise<Address[]>;

/** What became of a try. `answer`: the beginning of what the receiver said, or why there is no answer. */
export interface Result {
  status: number | null;
  answer: string;
  /** Null: it was taken. */
  fault: Fault | null;
}

export interface PostOptions {
  networks: Networks;
  timeoutMs: number;
  resolve: Resolve;
}

/** Of an answer only its beginning is of use. */
const maxAnswerBytes = 1_000;

export const resolveName: Resolve = (host) => lookup(host, { all: true, verbatim: true });

const failed = (fault: Fault, answer: string): Result => ({ status: null, answer, fault });

/** Never throws: what goes wrong is a result. `signal` is for ending early. */
export async function post(
  url: URL,
  headers: Record<string, string>,
  body: string,
  { networks, timeoutMs, resolve }: PostOptions,
  signal: AbortSignal,
): Promise<Result> {
  const deadline = AbortSignal.timeout(timeoutMs);
  const ends = AbortSignal.any([deadline, signal]);
  const late = () => failed('timed_out', `No answer within ${timeoutMs / 1000} s`);
  let addresses: Address[];
  try {
    addresses = await endWith(ends, addressesOf(url.hostname, resolve));
  } catch (error) {
    return ends.aborted ? late() : failed('name_unresolved', reasonOf(error));
  }
  const verdicts = addresses.map(({ address }) => networks.judge(address));
  const refused = verdicts.indexOf('refused');
  // One is enough: a name that also leads inside is not one to try.
  if (refused >= 0 || addresses.length === 0) return refuse(url, addresses[refused]?.address ?? 'no address');
  if (url.protocol !== 'https:' && verdicts.includes('public')) {
    return failed('address_refused', 'Plain http goes only to networks that are allowed: use https');
  }
  try {
    return await send(url, headers, body, addresses, ends);
  } catch (error) {
    return ends.aborted ? late() : failed('unreachable', reasonOf(error));
  }
}

export function refuse(url: URL, address: string): Result {
  return failed('address_refused', `${url.hostname} (${address}) is not an address that may be reached`);
}

async function addressesOf(hostname: string, resolve: Resolve): Promise<Address[]> {
  const literal = hostname.replace(/^\[|\]$/g, '');
  const family = isIP(literal);
  return family > 0 ? [{ address: literal, family }] : resolve(hostname);
}

function send(
  url: URL,
  headers: Record<string, string>,
  body: string,
  addresses: Address[],
  signal: AbortSignal,
): Promise<Result> {
  const { request } = url.protocol === 'https:' ? https : http;
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: 'POST',
      // A connection of its own each time: one that is kept would be to an address that was judged long ago.
      agent: false,
      signal,
      headers: { 'Content-Length': Buffer.byteLength(body), 'User-Agent': 'Flota', ...headers },
      // What was judged is what is connected to: nobody is asked a second time.
      lookup: (_, { all }, done) =>
        all ? done(null, addresses) : done(null, addresses[0]!.address, addresses[0]!.family),
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const status = response.statusCode ?? 0;
      const chunks: Buffer[] = [];
      let bytes = 0;
      const end = () => {
        sent.destroy();
        const answer = Buffer.concat(chunks).subarray(0, maxAnswerBytes).toString();
        resolve({ status, answer, fault: faultOf(status) });
      };
      response.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        if (bytes >= maxAnswerBytes) end();
      });
      // The status has come, and that is the answer; what follows it may break off or never end.
      for (const event of ['end', 'error', 'close']) response.on(event, end);
      sent.off('error', reject).on('error', end);
    });
    sent.end(body);
  });
}

function faultOf(status: number): Fault | null {
  if (status >= 200 && status < 300) return null;
  return status >= 300 && status < 400 ? 'redirected' : 'refused';
}

/** DNS cannot be told to end. */
function endWith<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason as Error);
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}

function reasonOf(error: unknown): string {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || String(code);
}
