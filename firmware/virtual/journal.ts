import type { Disk } from './disk.ts';
import { type AgentState, emptyState } from './machine.ts';
import type { StoredMessage } from './outbox.ts';

const journalFile = 'agent.json';

/**
 * What the agent keeps across resets, in one atomic file: a state and the messages that tell of it can then never
 * disagree.
 */
export interface Journal extends AgentState {
  outbox: StoredMessage[];
  /** Ids of the last commands carried out, so that a copy of `reboot` does not reboot again. */
  commands: string[];
}

export function readJournal(disk: Disk): Journal {
  const text = disk.readText(journalFile);
  return text ? (JSON.parse(text) as Journal) : { ...emptyState, outbox: [], commands: [] };
}

export function writeJournal(disk: Disk, journal: Journal): void {
  disk.replaceText(journalFile, JSON.stringify(journal));
}
