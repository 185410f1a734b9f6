import { z } from 'zod';
import { deviceIdSchema, manifestSchema, type UplinkTopic } from '#emqx/protocol.ts';
import type { Flash } from './flash.ts';
import type { Network } from './network.ts';
import type { Broker, Certificates, Clock, Http, Medium, Verify } from './port.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** How often, how long and how patiently; all in milliseconds. */
export interface Timing {
  reconnectMinMs: number;
  reconnectMaxMs: number;
  /** From opening the socket to the last SUBACK. */
  connectMs: number;
  keepaliveMs: number;
  /** Critical messages are sent again after this, doubling up to the maximum, until acked. */
  resendMinMs: number;
  resendMaxMs: number;
  /** Between broken ranged GETs, doubling. */
  retryMinMs: number;
  retryMaxMs: number;
  /** Between two requests for a fresh URL, doubling. */
  urlRefreshMinMs: number;
  urlRefreshMaxMs: number;
  /** A response that brings no byte for so long is given up. */
  stallMs: number;
  /** A chunk faster than this doubles the next, one slower than `slowChunkMs` halves it. */
  fastChunkMs: number;
  slowChunkMs: number;
  checkpointMs: number;
  progressMs: number;
  telemetryMs: number;
  /** A new image must have connected within this, or it is rolled back. */
  selfTestMs: number;
  /** How long the device is dark while it reboots. */
  rebootMs: number;
  renewCheckMs: number;
  /** A renewal that got no answer, or a refusal, is tried again after this. */
  renewRetryMs: number;
  /** An application that does not say until when it puts an update off is asked again after this; as often the server is told. */
  askAgainMs: number;
}

export const defaultTiming: Timing = {
  reconnectMinMs: 500,
  reconnectMaxMs: 60_000,
  connectMs: 20_000,
  keepaliveMs: 60_000,
  resendMinMs: 10_000,
  resendMaxMs: 300_000,
  retryMinMs: 500,
  retryMaxMs: 60_000,
  urlRefreshMinMs: 5_000,
  urlRefreshMaxMs: 300_000,
  stallMs: 20_000,
  fastChunkMs: 1_000,
  slowChunkMs: 8_000,
  checkpointMs: 1_000,
  progressMs: 500,
  telemetryMs: 15_000,
  selfTestMs: 300_000,
  rebootMs: 200,
  renewCheckMs: 3_600_000,
  renewRetryMs: 900_000,
  askAgainMs: 60_000,
};

export interface Limits {
  chunkFloorBytes: number;
  chunkStartBytes: number;
  chunkCeilingBytes: number;
  /** A checkpoint is written after so many chunks at the latest. */
  checkpointChunks: number;
  /** Failures in a row, without a byte of progress, after which a download is given up: no answer, and a wrong answer. */
  networkFailures: number;
  responseFailures: number;
  /** Fresh URLs in a row that were refused without a byte of progress. */
  urlRefusals: number;
  /** Boots that a new image gets to prove itself. */
  trialBoots: number;
  /** Connects in a row that a renewed certificate may fail before the old one is tried. */
  renewedConnects: number;
  /** Largest image that a slot holds. */
  slotBytes: number;
}

export const defaultLimits: Limits = {
  chunkFloorBytes: 16 * 1024,
  chunkStartBytes: 64 * 1024,
  chunkCeilingBytes: 1024 * 1024,
  checkpointChunks: 4,
  networkFailures: 60,
  responseFailures: 8,
  urlRefusals: 8,
  trialBoots: 3,
  renewedConnects: 3,
  slotBytes: 64 * 1024 * 1024,
};

/** What the application says to the next step of an update. Without `forMs` it is asked again after `askAgainMs`. */
export type Consent = 'now' | { reason: string; forMs?: number };

export interface DeviceOptions {
  id: string;
  /** The device's own directory: identity, slots, journal. One running device per directory. */
  dir: string;
  hardware: string;
  /** `mqtts://host:port` */
  mqttUrl: string;
  /** PEM of the roots (and issuing CAs) that broker and firmware servers are verified against. */
  trust: string;
  /** JWKS of the firmware signing keys: public, ES256, each with a `kid`. */
  signingKeys: { keys: object[] };
  /** The component that its images are for. Default `main`. */
  component?: string;
  log?: Log;
  timing?: Partial<Timing>;
  limits?: Partial<Limits>;
  /** How connections are opened; the default is plain TCP under our TLS. */
  network?: Network;
  /** Source of jitter and message ids, 0 ≤ x < 1; with a seeded one both are the same in every run. Default: the system's. */
  random?: () => number;
  /** false leaves flushing to the operating system: survives kill -9, not a power cut of the host. Default true. */
  fsync?: boolean;
  /** false: a download that breaks starts again from zero, as devices without checkpoints do; for comparison. Default true. */
  resume?: boolean;
  /** Takes updates by patch, and says so; what experiments measure of whole images would change. Default false. */
  patches?: boolean;
  /** Opens sealed objects with the key of its certificate, and says so. Default false. */
  sealed?: boolean;
  /** Called before every change on disk; a test cuts the power here. */
  onDiskWrite?: (what: string) => void;
  /** Called for every message that goes to the broker. */
  onPublish?: (topic: UplinkTopic) => void;
  /** The application has a say before an image is installed, and before the device reboots into it. Default: always now. */
  mayInstall?: () => Consent;
  mayReboot?: () => Consent;
  /** For a simulation; a device that is given all of them needs neither network nor directory. */
  surroundings?: Partial<Surroundings>;
}

/** What a device stands on, where it is not sockets, files and the clock of this machine. */
export interface Surroundings {
  clock: Clock;
  medium: Medium;
  broker: Broker;
  http: Http;
  /** For one life. */
  certificates: (flash: Flash) => Certificates;
  verify: Verify;
}

type Optional = 'network' | 'random' | 'onDiskWrite' | 'onPublish';

export interface Settings
  extends Required<Omit<DeviceOptions, 'timing' | 'limits' | 'signingKeys' | Optional>> {
  timing: Timing;
  limits: Limits;
  /** x || y, 64 bytes. */
  signingKeys: { kid: string; xy: Uint8Array }[];
  network: Network | undefined;
  random: (() => number) | undefined;
  onDiskWrite: ((what: string) => void) | undefined;
  onPublish: ((topic: UplinkTopic) => void) | undefined;
}

export type DeviceFaultCode = 'options_invalid' | 'not_enrolled' | 'enroll_refused' | 'enroll_failed';

/** What stops a virtual device from starting; everything later is handled by the device itself. */
export class DeviceFault extends Error {
  readonly code: DeviceFaultCode;
  constructor(code: DeviceFaultCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DeviceFault';
    this.code = code;
  }
}

/** Fills in defaults. Throws DeviceFault('options_invalid'). */
export function toSettings(options: DeviceOptions): Settings {
  const problems: string[] = [];
  if (!deviceIdSchema.safeParse(options.id).success) problems.push('id must be 1 to 64 of A-Z a-z 0-9 _ -');
  if (!URL.canParse(options.mqttUrl) || new URL(options.mqttUrl).protocol !== 'mqtts:')
    problems.push('mqttUrl must be mqtts://host:port');
  if (!options.trust.includes('-----BEGIN CERTIFICATE-----')) problems.push('trust holds no PEM certificate');
  const keys = readKeys(options.signingKeys);
  if (!keys) problems.push('signingKeys must be a JWKS {keys: [...]} of 1 to 8 ES256 keys, each with a kid');
  const board = { component: options.component ?? 'main', hardware: options.hardware };
  if (!boardSchema.safeParse(board).success) problems.push('component or hardware is no name of one');
  const limits = { ...defaultLimits, ...options.limits };
  const { chunkFloorBytes, chunkStartBytes, chunkCeilingBytes } = limits;
  if (!(chunkFloorBytes > 0 && chunkFloorBytes <= chunkStartBytes && chunkStartBytes <= chunkCeilingBytes))
    problems.push('limits must be 0 < chunkFloorBytes ≤ chunkStartBytes ≤ chunkCeilingBytes');
  if (!keys || problems.length > 0) throw new DeviceFault('options_invalid', problems.join('; '));
  return {
    component: 'main',
    log: () => {},
    random: undefined,
    fsync: true,
    network: undefined,
    surroundings: {},
    resume: true,
    patches: false,
    sealed: false,
    onDiskWrite: undefined,
    onPublish: undefined,
    mayInstall: () => 'now',
    mayReboot: () => 'now',
    ...options,
    signingKeys: keys,
    timing: { ...defaultTiming, ...options.timing },
    limits,
  };
}

/** Null when they are no such keys. */
function readKeys(jwks: DeviceOptions['signingKeys'] | undefined): Settings['signingKeys'] | null {
  const known = jwks && read.get(jwks);
  if (known) return known;
  const parsed = jwksSchema.safeParse(jwks);
  if (!parsed.success) return null;
  const keys = parsed.data.keys.map(({ kid, x, y }) => ({ kid, xy: Buffer.concat([x, y]) }));
  read.set(jwks!, keys);
  return keys;
}

const boardSchema = manifestSchema.pick({ component: true, hardware: true });

/** The devices of a process mostly share their keys. */
const read = new WeakMap<object, Settings['signingKeys']>();
const coordinate = z
  .base64url()
  .transform((text) => Buffer.from(text, 'base64url'))
  .refine((bytes) => bytes.length === 32);
const jwksSchema = z.object({
  keys: z
    .array(
      z.object({
        kty: z.literal('EC'),
        crv: z.literal('P-256'),
        kid: z.string().min(1).max(64),
        x: coordinate,
        y: coordinate,
      }),
    )
    .min(1)
    .max(8),
});
