import { randomBytes } from 'node:crypto';
import type { UplinkTopic } from '#emqx/protocol.ts';
import { backoffMs, type Timers } from './timers.ts';

/** A critical message as it was first written down; it is re-sent byte for byte, for an id names one body for ever. */
export interface StoredMessage {
  id: string;
  topic: UplinkTopic;
  payload: string;
}

export function randomId(): string {
  return randomBytes(12).toString('base64url');
}

/** Adds a message. When full, the oldest that is no result makes room, for results are what deployments wait for. */
export function enqueue(
  messages: readonly StoredMessage[],
  message: StoredMessage,
  max: number,
): StoredMessage[] {
  const kept = [...messages, message];
  while (kept.length > max) {
    const expendable = kept.findIndex((it) => it.topic !== 'firmware/download/result');
    kept.splice(Math.max(0, expendable), 1);
  }
  return kept;
}

export function acknowledge(messages: readonly StoredMessage[], ids: readonly string[]): StoredMessage[] {
  return messages.filter((it) => !ids.includes(it.id));
}

/** Sends what is in the outbox, oldest first, again and again with back-off, for as long as it is there. */
export class OutboxSender {
  readonly #messages: () => readonly StoredMessage[];
  readonly #publish: (message: StoredMessage) => void;
  readonly #timers: Timers;
  readonly #pace: { minMs: number; maxMs: number; random: () => number };
  #sent = new Map<string, { tries: number; dueAt: number }>();
  #cancelTimer: () => void = () => {};
  #online = false;

  constructor(input: {
    messages: () => readonly StoredMessage[];
    publish: (message: StoredMessage) => void;
    timers: Timers;
    minMs: number;
    maxMs: number;
    random: () => number;
  }) {
    this.#messages = input.messages;
    this.#publish = input.publish;
    this.#timers = input.timers;
    this.#pace = input;
  }

  /** A new connection: nobody knows what became of earlier sends, so all go out again at once. */
  online(): void {
    this.#online = true;
    this.#sent.clear();
    this.pump();
  }

  offline(): void {
    this.#online = false;
    this.#cancelTimer();
  }

  /** Sends what is due and sets the timer for what will be. Call it after every change of the outbox. */
  pump(): void {
    this.#cancelTimer();
    if (!this.#online) return;
    const now = Date.now();
    const alive = new Map<string, { tries: number; dueAt: number }>();
    let next = Number.POSITIVE_INFINITY;
    for (const message of this.#messages()) {
      let entry = this.#sent.get(message.id) ?? { tries: 0, dueAt: 0 };
      if (entry.dueAt <= now) {
        const { minMs, maxMs, random } = this.#pace;
        entry = { tries: entry.tries + 1, dueAt: now + backoffMs(entry.tries, minMs, maxMs, random) };
        this.#publish(message);
      }
      alive.set(message.id, entry);
      next = Math.min(next, entry.dueAt);
    }
    this.#sent = alive;
    if (alive.size > 0) this.#cancelTimer = this.#timers.after(Math.max(1, next - now), () => this.pump());
  }
}
