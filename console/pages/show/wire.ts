/** What the show's routes of `npm start` say (deploy/lab/show); here, because the console imports nothing of `deploy`. */

/** One character a cell of the chunk map, each an equal part of the image. */
export type Cell =
  /** not asked for yet */
  | '.'
  /** asked for, on its way */
  | 'a'
  /** received at the first asking */
  | '+'
  /** asked for or received, and lost: it will be asked for again */
  | 'x'
  /** received when asked for again */
  | 'r';

export type NoteCode =
  | 'network_cut'
  | 'network_back'
  | 'power_cut'
  | 'power_back'
  | 'slowed'
  | 'full_speed'
  | 'resumed'
  | 'updated'
  | 'rolled_back'
  | 'failed'
  | 'cancelled';

export interface Note {
  at: string;
  code: NoteCode;
  /** `resumed`: from where on. */
  bytes?: number;
  /** `updated`: what runs now; `rolled_back`: what runs again. */
  version?: string;
  /** A device's error code. */
  error?: string;
}

export interface ShowDevice {
  id: string;
  state:
    | 'off'
    | 'booting'
    | 'testing'
    | 'idle'
    | 'accepted'
    | 'downloading'
    | 'verifying'
    | 'installing'
    | 'rebooting';
  online: boolean;
  /** Until when, ms since 1970; null: it has network, power. */
  networkCutUntil: number | null;
  powerCutUntil: number | null;
  slow: boolean;
  /** Of the update that is under way or was the last; null before any. */
  version: string | null;
  outcome: 'under_way' | 'updated' | 'rolled_back' | 'failed' | 'cancelled' | null;
  cells: string;
  /** Its digest is the promised one. */
  verified: boolean;
  totalBytes: number;
  receivedBytes: number;
  /** That came a second time. */
  againBytes: number;
  resumes: number;
  slots: { active: 'a' | 'b'; confirmed: 'a' | 'b'; a: string | null; b: string | null } | null;
  /** The newest first. */
  notes: Note[];
}

export type ShowAct = 'cut_network' | 'pull_plug' | 'slow_down' | 'full_speed';
export type ShowImage = 'good' | 'bad';
export interface ShowDeployment {
  id: string;
  version: string;
  image: ShowImage;
}
