/** Critical messages are handled once, acked only when that is committed, and none is lost. */
import { Violation } from './committed.ts';

export class Messages {
  readonly #received = new Set<string>();
  readonly #said = new Set<string>();

  /** A device sends one, perhaps again. */
  said(deviceId: string, messageId: string): void {
    this.#said.add(`${deviceId}/${messageId}`);
  }

  received(deviceId: string, messageId: string): void {
    const key = `${deviceId}/${messageId}`;
    if (this.#received.has(key)) throw new Violation(`critical message ${key} handled twice`);
    this.#received.add(key);
  }

  /** A device was told that its message is kept. */
  acked(deviceId: string, messageId: string): void {
    if (!this.#received.has(`${deviceId}/${messageId}`))
      throw new Violation(`${deviceId}: message ${messageId} acked but not committed`);
  }

  ended(): void {
    for (const message of this.#said)
      if (!this.#received.has(message)) throw new Violation(`critical message ${message} was lost`);
  }
}
