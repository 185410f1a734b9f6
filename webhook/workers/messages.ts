/** What the primary and its workers say to each other over the channel between them. */
import type { Snapshot } from '../metrics/snapshot.ts';

export type FromWorker =
  /** Both ports listen. */
  | { type: 'ready'; url: string; internalPort: number }
  /** Somebody asks this worker for the metrics of all. */
  | { type: 'gather'; id: number }
  | { type: 'snapshot'; id: number; snapshot: Snapshot };

export type FromPrimary =
  | { type: 'tell'; id: number }
  | { type: 'gathered'; id: number; snapshots: Snapshot[] };
