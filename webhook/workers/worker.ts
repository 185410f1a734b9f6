/** A worker's side of the channel to its primary. */
import cluster from 'node:cluster';
import type { Snapshot } from '../metrics/snapshot.ts';
import type { FromPrimary, FromWorker } from './messages.ts';

/** Longer than the primary waits for the slowest. */
const patienceMs = 5_000;

export interface Colleagues {
  /** Both ports listen. */
  ready(url: string, internalPort: number): void;
  /** Of all workers, ended ones too; this one's alone when the primary does not answer. */
  gather(own: Snapshot): Promise<Snapshot[]>;
}

/** `read`: what this worker has counted. */
export function joinColleagues(read: () => Snapshot): Colleagues {
  const waiting = new Map<number, (snapshots: Snapshot[]) => void>();
  let last = 0;
  const say = (message: FromWorker) => process.connected && cluster.worker!.send(message);
  process.on('message', (message: FromPrimary) => {
    if (message.type === 'tell') say({ type: 'snapshot', id: message.id, snapshot: read() });
    else if (message.type === 'gathered') waiting.get(message.id)?.(message.snapshots);
  });
  return {
    ready: (url, internalPort) => say({ type: 'ready', url, internalPort }),
    gather(own) {
      const id = ++last;
      return new Promise<Snapshot[]>((resolve) => {
        const timer = setTimeout(() => resolve([own]), patienceMs);
        waiting.set(id, (snapshots) => {
          clearTimeout(timer);
          resolve(snapshots);
        });
        say({ type: 'gather', id });
      }).finally(() => waiting.delete(id));
    },
  };
}
