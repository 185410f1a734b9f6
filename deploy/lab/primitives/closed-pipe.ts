/**
 * For its effect, by every command: a reader that has seen enough (`npm run emqx -- plan | head`) ends it without a word. Whoever
 * cleans up after Ctrl-C does so then too.
 */
let isClosed = false;

for (const stream of [process.stdout, process.stderr])
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    if (isClosed) return;
    isClosed = true;
    if (!process.emit('SIGINT', 'SIGINT')) process.exit(0);
  });
