/**
 * What a virtual device stands on. `device.ts` fills it in with the real things (sockets, files, the clock of this machine); a simulation
 * brings its own and needs no sockets. Nothing here may call the device back before the call that it got has returned.
 */
import type { KeyPair } from './identity.ts';

export interface Clock {
  /** Milliseconds; never goes back. */
  now(): number;
  /** Milliseconds since 1970; null: nobody knows yet. */
  unixMs(): number | null;
  /** Runs `task` once, not before `delayMs` have passed. Returns what takes it back. */
  after(delayMs: number, task: () => void): () => void;
}

/** Where a device's bytes are when the power is off: files by name, no folders. All calls are synchronous; those that fail throw. */
export interface Medium {
  /** The whole file; null when there is none. */
  read(name: string): Uint8Array | null;
  /** Makes the file, or makes it new. Not atomic. */
  write(name: string, data: Uint8Array): void;
  /** Atomic. */
  rename(from: string, to: string): void;
  remove(name: string): void;
  /** Bytes; 0 when there is none. */
  size(name: string): number;
  /** Bytes read: fewer than `target` holds at the end of the file. */
  readAt(name: string, offset: number, target: Uint8Array): number;
  /** Makes the file when there is none. */
  writeAt(name: string, offset: number, data: Uint8Array): void;
  truncate(name: string, bytes: number): void;
  /** After this, what was written to the file survives a power cut. */
  sync(name: string): void;
  /** Gives back what it holds open; the next call may open again. */
  close(): void;
}

export interface BrokerEvents {
  /** Connected, and every topic for devices granted; once per connection. */
  connected(): void;
  /** `done` is called when the device has dealt with it: only then may the broker forget it. */
  message(topic: string, payload: Uint8Array, done: () => void): void;
  /** The end of this connection, told once. `reached`: a broker was there, and TLS or MQTT said no. */
  disconnected(end: { reached: boolean; why: string }): void;
}

export interface BrokerConnection {
  /** Publishes that the broker has not acked. */
  readonly unacked: number;
  /** QoS 1. Takes a copy. */
  publish(topic: string, payload: Uint8Array): void;
  /** Politely, with what is on its way; `done` is called when the connection is gone. No event comes any more. */
  end(done: () => void): void;
  /** At once. No event comes any more. */
  destroy(): void;
}

/** MQTT as `ota_port.h` wants it: 3.1.1, a persistent session, short topics. */
export interface Broker {
  connect(pair: KeyPair, events: BrokerEvents): BrokerConnection;
}

export interface HttpEvents {
  /** Field names in lower case. */
  head(status: number, fields: Record<string, string | string[] | undefined>): void;
  body(data: Uint8Array): void;
  /** The body has ended properly. */
  end(): void;
  /** No answer, or broken off; the last event. */
  failed(): void;
}

/** GETs over one kept-alive connection. */
export interface Http {
  /** `range`: first byte and the one after the last; null: the whole. Returns what ends the request before its time. */
  get(url: string, range: { from: number; to: number } | null, events: HttpEvents): () => void;
  /** Gives the connection up; the next request opens another. */
  release(): void;
}

/** The device's keys and certificates, as `ota_port.h` wants them. Every change is one atomic write. */
export interface Certificates {
  /** Of the current certificate: milliseconds since 1970. */
  readonly validity: { serial: string; notBefore: number; notAfter: number };
  /** How far a renewal has come: a key, a key and its certificate. */
  readonly renewal: 'none' | 'key' | 'issued';
  pair(which: 'current' | 'new'): KeyPair;
  /** Makes a key unless one is pending; the CSR for it, PEM. */
  request(): string;
  /** Keeps them beside the pending key, or says why not: they are not for it, or not for this device. */
  store(certificate: string, chain: string): string | null;
  promote(): void;
  drop(): void;
}

/** ECDSA P-256 over the SHA-256 of `message`; key x || y, signature r || s. */
export type Verify = (xy: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
