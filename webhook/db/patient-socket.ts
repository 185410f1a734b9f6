/**
 * What postgres.js 3.4.9 does on a connection between its loss and the end of the transaction that used it (a `rollback`, or the
 * next statement) it writes to no socket at all, from a timer that nobody can catch: the process dies, or the connection never works
 * again (porsager/postgres #1154, #1208). So a lost connection fails what is under way at once, and is called closed only when those
 * writes have been made and have come to nothing.
 */
import { Socket } from 'node:net';

/** Far more than what a transaction does between two statements. */
const patienceMs = 250;

class PatientSocket extends Socket {
  #endedByUs = false;

  /** What is said in one turn goes in one packet: statements that are sent together wake the server, and then us, once. */
  // biome-ignore lint/suspicious/noExplicitAny: Node's overloads
  override write(...args: any[]): boolean {
    if (this.writableCorked === 0) {
      this.cork();
      process.nextTick(() => this.uncork());
    }
    return super.write(...(args as [string]));
  }

  /** The driver says goodbye with a message; the end that Node makes of the server's has none. */
  // biome-ignore lint/suspicious/noExplicitAny: Node's overloads
  override end(...args: any[]): this {
    if (args[0] !== undefined) this.#endedByUs = true;
    return super.end(...args);
  }

  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event !== 'close' || this.#endedByUs) return super.emit(event, ...args);
    const isTold = args[0] === true;
    if (!isTold && this.listenerCount('error') > 0)
      super.emit('error', Object.assign(new Error('the connection was lost'), { code: 'CONNECTION_CLOSED' }));
    // `true` (an error came before) would leave what was written since then in the driver's queue, where the next connection chokes on it.
    setTimeout(() => super.emit('close', false), patienceMs);
    return true;
  }
}

interface Address {
  host: string[];
  port: number[];
  path?: string | false;
}

/** For the driver's option `socket`. It is returned at once, for a rejected promise would cost the pool a connection for good. */
export function createPatientSockets(): (address: Address) => Socket {
  let next = 0;
  return ({ host, port, path }) => {
    const socket = new PatientSocket();
    if (path) return socket.connect(path);
    const i = next++ % host.length;
    return socket.connect(port[i]!, host[i]!);
  };
}
