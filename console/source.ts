/** One stream of server-sent events, opened again for as long as it is wanted. */
export type LiveStatus = 'connecting' | 'open' | 'lost';

/** The part of an EventSource that is used. */
type Source = {
  readonly readyState: number;
  addEventListener(type: string, listener: (event: Event) => void): void;
  close(): void;
};

export type SourceOptions = {
  connect: () => Source;
  /** `heardAtMs`: when something came last, which is how old what is shown may be. */
  onStatus: (status: LiveStatus, heardAtMs: number) => void;
  /** Runs before an attempt that follows an HTTP refusal (the browser does not retry those by itself): the place to log in again. */
  whenRefused: () => Promise<unknown>;
  retryMs?: number;
  /** After so long without a word the connection counts as lost, whatever the browser knows of it. */
  silentMs?: number;
};

const closed = 2;

/** `onOpen(true)`: something may have been missed since it was open before. */
export function createSource(
  options: SourceOptions,
  handlers: { onOpen?: (again: boolean) => void; events: Record<string, (data: string) => void> },
) {
  let source: Source | null = null;
  /** Listened to until the one that takes its place is open. */
  let leaving: Source | null = null;
  let missedSome = false;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let heardAtMs = Date.now();
  let silence: ReturnType<typeof setTimeout> | undefined;

  const leave = () => {
    leaving?.close();
    leaving = null;
  };

  /** A server that was stopped, or a network that is gone, ends no connection by itself. */
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => {
      leave();
      source?.close();
      source = null;
      missedSome = true;
      options.onStatus('lost', heardAtMs);
      open();
    }, options.silentMs ?? 10_000);
  };
  const heard = () => {
    heardAtMs = Date.now();
    listen();
  };

  const open = () => {
    const opened = options.connect();
    source = opened;
    listen();
    opened.addEventListener('open', () => {
      leave();
      heard();
      options.onStatus('open', heardAtMs);
      handlers.onOpen?.(missedSome);
      missedSome = false;
    });
    for (const [type, handle] of Object.entries(handlers.events)) {
      opened.addEventListener(type, (event) => {
        heard();
        handle((event as MessageEvent<string>).data);
      });
    }
    opened.addEventListener('beat', heard);
    opened.addEventListener('error', () => {
      if (source !== opened) return;
      clearTimeout(silence);
      leave();
      missedSome = true;
      options.onStatus('lost', heardAtMs);
      if (opened.readyState !== closed) return;
      source = null;
      retry = setTimeout(() => {
        options.whenRefused().then(start, start);
      }, options.retryMs ?? 2_000);
    });
  };

  const start = () => {
    if (source) return;
    clearTimeout(retry);
    options.onStatus('connecting', heardAtMs);
    open();
  };

  /** Connects anew, because `connect` would now connect otherwise; nothing is missed meanwhile. */
  const renew = () => {
    if (!source) return;
    if (leaving) source.close();
    else leaving = source;
    open();
  };

  const stop = () => {
    clearTimeout(retry);
    clearTimeout(silence);
    leave();
    source?.close();
    source = null;
    missedSome = true;
  };
  return { start, stop, renew };
}

/** A hidden tab gives its connection back, because browsers allow only six to one HTTP/1.1 origin. Answers the way to end it. */
export function whileVisible({ start, stop }: { start: () => void; stop: () => void }): () => void {
  const follow = () => (document.hidden ? stop() : start());
  document.addEventListener('visibilitychange', follow);
  follow();
  return () => {
    document.removeEventListener('visibilitychange', follow);
    stop();
  };
}
