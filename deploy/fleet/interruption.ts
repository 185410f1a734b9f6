/** npm and tsx pass a signal on that the terminal has already given to everybody. */
const sameMs = 500;

/** Aborted by Ctrl-C and SIGTERM; who says it again does not wait for the clean-up. */
export function interruption(): AbortSignal {
  const interrupted = new AbortController();
  let firstAt = 0;
  const onSignal = () => {
    if (!interrupted.signal.aborted) {
      firstAt = Date.now();
      interrupted.abort(new Error('interrupted'));
    } else if (Date.now() - firstAt > sameMs) process.exit(130);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return interrupted.signal;
}
