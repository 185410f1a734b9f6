import { afterEach, expect, it, vi } from 'vitest';
import { createLive, type LiveStatus } from './live.ts';

/** What a browser's EventSource does, as far as it is used; Node 20 has none. */
class Source extends EventTarget {
  readyState = 0;
  close() {
    this.readyState = 2;
  }
  open() {
    this.readyState = 1;
    this.dispatchEvent(new Event('open'));
  }
  say(data: unknown) {
    this.dispatchEvent(new MessageEvent('changed', { data: JSON.stringify(data) }));
  }
  fail(readyState: 0 | 2) {
    this.readyState = readyState;
    this.dispatchEvent(new Event('error'));
  }
}

afterEach(() => void vi.useRealTimers());

function begin() {
  const sources: Source[] = [];
  const calls: string[] = [];
  const logsOf: (string | undefined)[] = [];
  let status: LiveStatus = 'connecting';
  let connected = () => {};
  let refused = 0;
  const live = createLive({
    connect: (device) => {
      logsOf.push(device);
      sources.push(new Source());
      connected();
      return sources.at(-1)!;
    },
    onStatus: (next) => {
      status = next;
    },
    whenRefused: async () => {
      refused += 1;
    },
    retryMs: 1,
    silentMs: 50,
  });
  const watch = (kind: 'device' | 'deployment' | 'log', id?: string) =>
    live.watch({ kind, id, refetch: () => calls.push(`${kind} ${id ?? 'any'}`) });
  const nextConnection = () =>
    new Promise<void>((resolve) => {
      connected = resolve;
    });
  return {
    live,
    sources,
    calls,
    logsOf,
    watch,
    nextConnection,
    status: () => status,
    refused: () => refused,
  };
}

it('shares one connection and calls only those whom a change concerns', () => {
  const { live, sources, calls, watch, status } = begin();
  live.start();
  live.start();
  expect(sources).toHaveLength(1);
  watch('device');
  watch('device', 'a');
  const stop = watch('deployment', '1');
  sources[0]!.open();
  expect(status()).toBe('open');
  expect(calls).toEqual([]);
  sources[0]!.say({ kind: 'device', id: 'b' });
  sources[0]!.say({ kind: 'device', id: 'a' });
  sources[0]!.say({ kind: 'deployment', id: '1' });
  stop();
  sources[0]!.say({ kind: 'deployment', id: '1' });
  expect(calls).toEqual(['device any', 'device any', 'device a', 'deployment 1']);
});

it('fetches everything on screen again after the browser has reconnected', () => {
  const { live, sources, calls, watch, status } = begin();
  live.start();
  watch('device');
  watch('deployment', '1');
  sources[0]!.open();
  sources[0]!.fail(0);
  expect(status()).toBe('lost');
  expect(calls).toEqual([]);
  sources[0]!.open();
  expect(calls).toEqual(['device any', 'deployment 1']);
});

it('connects anew after a refusal, once the session has been seen to, and then fetches again', async () => {
  const { live, sources, calls, watch, nextConnection, refused } = begin();
  live.start();
  watch('device');
  sources[0]!.open();
  const connection = nextConnection();
  sources[0]!.fail(2);
  await connection;
  expect(refused()).toBe(1);
  sources[1]!.open();
  expect(calls).toEqual(['device any']);
});

it('gives the connection back when stopped and fetches again after it was started once more', () => {
  const { live, sources, calls, watch } = begin();
  live.start();
  watch('device');
  sources[0]!.open();
  live.stop();
  expect(sources[0]!.readyState).toBe(2);
  live.start();
  sources[1]!.open();
  expect(calls).toEqual(['device any']);
});

it('asks for the logs of the one device that is looked at, and misses nothing while it connects anew', async () => {
  const { live, sources, calls, logsOf, watch, status } = begin();
  live.start();
  watch('device');
  sources[0]!.open();
  const leave = watch('log', 'a');
  await null;
  expect([logsOf, sources[0]!.readyState, status()]).toEqual([[undefined, 'a'], 1, 'open']);
  sources[0]!.say({ kind: 'device', id: 'x' });
  sources[1]!.open();
  expect(sources[0]!.readyState).toBe(2);
  // What was logged before the new connection was open.
  expect(calls).toEqual(['device any', 'log a']);
  leave();
  watch('log', 'b');
  await null;
  expect(logsOf).toEqual([undefined, 'a', 'b']);
  live.stop();
  expect(sources.map((source) => source.readyState)).toEqual([2, 2, 2]);
});

it('takes a connection that breaks off in its first moment for a break, and fetches again', async () => {
  const { live, sources, calls, watch, status } = begin();
  live.start();
  watch('device');
  sources[0]!.open();
  watch('log', 'a');
  await null;
  sources[1]!.fail(0);
  expect([status(), sources[0]!.readyState]).toEqual(['lost', 2]);
  sources[1]!.open();
  expect(calls).toEqual(['device any', 'log a']);
});

it('takes a connection that says nothing for lost, and fetches again when there is one that does', () => {
  vi.useFakeTimers();
  const { live, sources, calls, watch, status } = begin();
  live.start();
  watch('device');
  sources[0]!.open();
  for (let i = 0; i < 4; i++) {
    vi.advanceTimersByTime(49);
    sources[0]!.dispatchEvent(new Event('beat'));
  }
  expect([status(), sources.length]).toEqual(['open', 1]);
  vi.advanceTimersByTime(50);
  expect([status(), sources[0]!.readyState]).toEqual(['lost', 2]);
  sources[1]!.open();
  expect([status(), calls]).toEqual(['open', ['device any']]);
  live.stop();
});
