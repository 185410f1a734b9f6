import type { UplinkTopic } from '#emqx/protocol.ts';
import type { Disk } from './disk.ts';
import { type AgentState, emptyState } from './machine.ts';
import type { Settings } from './options.ts';
import { acknowledge, enqueue, OutboxSender, randomId, type StoredMessage } from './outbox.ts';
import type { Timers } from './timers.ts';

const journalFile = 'agent.json';
const commandsMax = 8;

interface Entries extends AgentState {
  outbox: StoredMessage[];
  /** Ids of the last commands carried out, so that a copy of `reboot` does not reboot again. */
  commands: string[];
}

/** A critical message without what every one has: id, time, sequence. */
export interface Report {
  topic: UplinkTopic;
  body: Record<string, unknown>;
  /** Random unless given. */
  id?: string;
}

/**
 * What the agent keeps across resets, in one atomic file: a state and the messages that tell of it can then never
 * disagree. Messages stay in it, and are sent again and again, until they are acked.
 */
export class Journal {
  readonly #disk: Disk;
  readonly #settings: Settings;
  readonly #sender: OutboxSender;
  readonly #changed: () => void;
  #entries: Entries;
  #bootCount = 0;
  #number = 0;

  constructor(input: {
    disk: Disk;
    settings: Settings;
    timers: Timers;
    publish: (message: StoredMessage) => void;
    changed: () => void;
  }) {
    const { timing, random } = input.settings;
    this.#disk = input.disk;
    this.#settings = input.settings;
    this.#changed = input.changed;
    const text = input.disk.readText(journalFile);
    this.#entries = text ? (JSON.parse(text) as Entries) : { ...emptyState, outbox: [], commands: [] };
    this.#sender = new OutboxSender({
      messages: () => this.#entries.outbox,
      publish: input.publish,
      timers: input.timers,
      minMs: timing.resendMinMs,
      maxMs: timing.resendMaxMs,
      random,
    });
  }

  get state(): AgentState {
    return this.#entries;
  }

  get outbox(): readonly StoredMessage[] {
    return this.#entries.outbox;
  }

  /** Messages written from now on belong to this boot. `state` is what it goes on from. */
  beginBoot(count: number, state: AgentState): void {
    this.#bootCount = count;
    this.#entries = { ...this.#entries, ...state };
  }

  /** Stores a state and what is to be told of it, in one write. */
  commit(state: AgentState, reports: Report[] = []): void {
    const { outbox, commands } = this.#entries;
    const { job, staged, finished } = state;
    this.#write({ job, staged, finished, commands, outbox: this.#with(outbox, reports) });
  }

  /** Stores the answer to a command; false when it has been answered before. */
  answer(command: string, report: Report): boolean {
    const { commands, outbox } = this.#entries;
    if (commands.includes(command)) return false;
    this.#write({
      ...this.#entries,
      commands: [...commands, command].slice(-commandsMax),
      outbox: this.#with(outbox, [report]),
    });
    return true;
  }

  /** These have arrived. */
  forget(ids: readonly string[]): void {
    const outbox = acknowledge(this.#entries.outbox, ids);
    if (outbox.length < this.#entries.outbox.length) this.#write({ ...this.#entries, outbox });
  }

  holds(id: string): boolean {
    return this.#entries.outbox.some((it) => it.id === id);
  }

  online(): void {
    this.#sender.online();
  }

  offline(): void {
    this.#sender.offline();
  }

  #with(outbox: StoredMessage[], reports: Report[]): StoredMessage[] {
    for (const { topic, body, id = randomId() } of reports) {
      const seq = [this.#bootCount, this.#number++];
      const payload = JSON.stringify({ id, at: new Date().toISOString(), seq, ...body });
      outbox = enqueue(outbox, { id, topic, payload }, this.#settings.limits.outboxMessages);
    }
    return outbox;
  }

  #write(entries: Entries): void {
    const { outbox } = this.#entries;
    this.#disk.replaceText(journalFile, JSON.stringify(entries));
    this.#entries = entries;
    if (entries.outbox !== outbox) this.#sender.pump();
    this.#changed();
  }
}
