/** One Ctrl-C on a terminal comes up to three times at once: from there, from npm and from tsx. */
const sameMs = 1_000;

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
