import net, { type AddressInfo } from 'node:net';

/** Resolves with the port: the one asked for, or for 0 one that the system chose. Rejects with EADDRINUSE and the like. */
export async function listen(server: net.Server, port = 0, host = '127.0.0.1'): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    // It stays: later it keeps a connection that could not be taken in (no descriptor is left) from ending the process.
    server.on('error', reject);
    server.listen(port, host, resolve);
  });
  return (server.address() as AddressInfo).port;
}

export interface HeldPort {
  port: number;
  release(): void;
}

interface Handle {
  getsockname(out: object): number;
  close(): void;
}
/** Binds and does not listen. Node has it for its own cluster, and does not document it. */
const bind = (
  net as unknown as { _createServerHandle(host: string, port: number, family: 4): Handle | number }
)._createServerHandle;

/**
 * A port that is bound and not listened at: while it is held the system gives it to nobody who asks for any, and a connection is refused;
 * but whoever is told the number can listen there, stop, and listen again (SO_REUSEADDR, which Node, nginx and PostgreSQL set). So
 * an address can be passed on before its owner has started, without looking for one that happens to be free. Linux.
 */
export function holdPort(host = '127.0.0.1'): HeldPort {
  const handle = bind(host, 0, 4);
  if (typeof handle === 'number') throw new Error(`no port of ${host} can be had (${handle})`);
  const address: { port?: number } = {};
  handle.getsockname(address);
  return { port: address.port!, release: () => handle.close() };
}
