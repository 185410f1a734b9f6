/** `ota_port.h` in TypeScript: what the agent asks of whoever gives it a body. */
import type { Consent, LogLevel } from './options.ts';
import type { Certificates, Verify } from './port.ts';
import type { Slots } from './slots.ts';

/** The part of `ota_error.h` that a port returns. */
export const ok = 0;
export const failed = {
  storage: -2,
  network: -3,
  space: -5,
  signature: -10,
  install: -11,
  busy: -12,
  certificate: -13,
  absent: -14,
} as const;

export const storeKeys = ['journal', 'checkpoint', 'url', 'keep', 'keep-copy'] as const;
export const stages = ['idle', 'accepted', 'downloading', 'verifying', 'installing', 'rebooting'] as const;
export const levels: LogLevel[] = ['debug', 'info', 'warn', 'error'];
export const bootReasons = ['power_on', 'update', 'rollback', 'watchdog', 'command', 'unknown'] as const;
export const telemetryTopics = ['status/system', 'status/network', 'data/sensors', 'data/metrics'] as const;
export const renewals = { none: 0, key: 1, issued: 2 } as const;

export type StoreKey = (typeof storeKeys)[number];
export type Stage = (typeof stages)[number];
export type BootReason = (typeof bootReasons)[number];
export type TelemetryTopic = (typeof telemetryTopics)[number];

/** `OTA_CRASH_FRAMES`. */
export const crashFrames = 16;

/** `struct ota_crash` of `crash.h`: addresses below 2^53. */
export interface CrashSummary {
  id: string;
  reason: string;
  task?: string;
  elf: string;
  pc: number;
  backtrace: number[];
}

export type MqttEvent =
  | { type: 'connected' }
  | { type: 'disconnected'; reached: boolean }
  | { type: 'message'; topic: string; payload: Uint8Array };

/**
 * What an agent calls. Bytes that it gives are a view of its memory, good during the call. What throws an error with a `code` (a file
 * system's) is a storage failure; PowerLost and everything else ends this life of the agent.
 */
export interface AgentPort {
  mqtt: {
    connect(pair: 'current' | 'new'): void;
    disconnect(): void;
    /** `ok`, or why not. */
    publish(topic: string, payload: Uint8Array): number;
    poll(): MqttEvent | null;
  };
  http: {
    get(url: string, range: { from: number; to: number } | null): void;
    /** "status\nname:value\n…", null: not yet, a number: what went wrong. */
    head(): string | null | number;
    read(target: Uint8Array): number;
    end(keep: boolean): void;
  };
  staging: {
    bytes(): number;
    write(offset: number, data: Uint8Array): void;
    read(offset: number, target: Uint8Array): void;
    sync(): void;
    clear(): void;
  };
  store: {
    read(key: StoreKey): Uint8Array | null;
    write(key: StoreKey, data: Uint8Array): void;
  };
  certificates: Certificates;
  slots: Slots;
  /** The one that ended the life before, until a report of it is stored. */
  crash: { read(): CrashSummary | null; forget(): void };
  mayInstall(): Consent;
  mayReboot(): Consent;
  verify: Verify;
  uptimeMs(): number;
  unixMs(): number | null;
  random(target: Uint8Array): void;
  log(level: LogLevel, text: string): void;
  /** Members of the message without braces; null after the last. */
  telemetry(index: number): { topic: TelemetryTopic; fields: string } | null;
  /** A JSON value, or an empty text; null: no such command. */
  command(name: string, args: string): string | null;
}
