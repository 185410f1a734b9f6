/** A TCP connection between two parts that can be made slow, both ways, or cut. */
import { connect, createServer, type Socket } from 'node:net';
import { listen } from '../primitives/listen.ts';

export interface Link {
  port: number;
  /** Bytes that went through since the start. */
  bytes(): number;
  /** Every byte from now on comes so much later; 0: at once. The order stays. */
  slow(delayMs: number): void;
  /** Breaks every connection. */
  cut(): void;
  close(): Promise<void>;
}

export async function startLink(targetPort: number): Promise<Link> {
  const sockets = new Set<Socket>();
  let delayMs = 0;
  let bytes = 0;
  const pass = (from: Socket, to: Socket) => {
    let arrivesAt = 0;
    from.on('data', (chunk) => {
      bytes += chunk.length;
      // Nothing overtakes what is still on its way.
      arrivesAt = Math.max(arrivesAt, performance.now() + delayMs);
      if (arrivesAt <= performance.now()) return void to.write(chunk);
      setTimeout(() => to.writable && to.write(chunk), arrivesAt - performance.now());
    });
    from.on('end', () => setTimeout(() => to.end(), Math.max(0, arrivesAt - performance.now())));
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      // What is on its way still arrives.
      setTimeout(() => to.destroy(), Math.max(0, arrivesAt - performance.now()));
    });
    sockets.add(from);
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    near.setNoDelay(true);
    far.setNoDelay(true);
    pass(near, far);
    pass(far, near);
  });
  const port = await listen(server);
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    bytes: () => bytes,
    slow: (ms) => {
      delayMs = ms;
    },
    cut,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
