/**
 * The wire contract: topics and messages between devices and the webhook.
 *
 * Devices use the short topics below; the broker's listener mounts them under `devices/<device id>/`, so rules and the
 * publish API see the long form. Messages are JSON objects; unknown fields are ignored. Everything that speaks to a
 * device or for one (webhook, stand-in, virtual devices, the C agent by the golden vectors beside this file) holds to it.
 */
import { z } from 'zod';

/** A device's id: the common name of its certificate, its MQTT client id, and a level of its topics. */
export const deviceIdSchema = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ -');

/** Largest payloads in bytes, by direction. */
export const maxUplinkBytes = 16 * 1024;
export const maxDownlinkBytes = 4 * 1024;
export const maxCertificateDownlinkBytes = 8 * 1024;
/** Largest JSON: levels of arrays and objects, and values in all. What goes beyond is refused before anything looks into it. */
export const maxJsonDepth = 32;
export const maxJsonNodes = 4096;
export const jsonTooComplex = `has more than ${maxJsonDepth} levels or ${maxJsonNodes} values`;

/** Level by level and not by recursion, so that no depth can be too much for it. */
export function isWithinJsonLimits(value: unknown): boolean {
  let level = [value];
  for (let depth = 0, nodes = 1; level.length > 0; depth++) {
    const next: unknown[] = [];
    for (const one of level) {
      if (typeof one !== 'object' || one === null) continue;
      if (depth === maxJsonDepth) return false;
      for (const inner of Object.values(one)) next.push(inner);
    }
    nodes += next.length;
    if (nodes > maxJsonNodes) return false;
    level = next;
  }
  return true;
}

/** zod follows any JSON value by recursion, so its size is looked at first. */
function bounded<S extends z.ZodType>(schema: S) {
  return z.unknown().refine(isWithinJsonLimits, jsonTooComplex).pipe(schema);
}

/** A presigned URL must fit the device's buffer. */
export const maxUrlBytes = 2048;

export type Direction = 'up' | 'down';
/** critical: re-sent by the device until acked; telemetry: best effort; command: sent by the webhook. */
export type MessageClass = 'critical' | 'telemetry' | 'command';

const messageId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const at = z.iso.datetime({ offset: true }).nullable();
/** Whole, from 0, and within 32 bits with a sign, as databases and small devices count. */
const count = z
  .int()
  .nonnegative()
  .max(2 ** 31 - 1);
/** [boot counter, number within the boot]: orders the critical messages of one device. */
const seq = z.tuple([count, count]);
/**
 * What the boots are counted in: a random id that a device makes when it has nothing to go on counting from (it is new, or has lost
 * its storage). `seq` orders the messages of one epoch only; the server takes an epoch that it has never seen for the newest. A device
 * that tells none goes on in the epoch that is known of it, and is heard again from the start when it has enrolled anew.
 */
const epoch = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const component = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,31}$/);
const bytes = z.int().nonnegative();
const shortText = z.string().max(256);

const base = { id: messageId, at };
const critical = { ...base, seq, epoch: epoch.optional() };
const attemptOf = { deployment: z.uuid(), attempt: z.int().positive() };

/** `transient`: another attempt may succeed. `permanent`: it would only fail again. */
export type ErrorClass = 'transient' | 'permanent';
/** Why a device refused, failed or gave up, in the order of the agent's `ota_failure.h`. The webhook's retry policy goes by the classes. */
export const deviceErrorClasses = {
  busy: 'transient',
  bad_request: 'permanent',
  url_refused: 'permanent',
  manifest_invalid: 'permanent',
  signature_invalid: 'permanent',
  hardware_mismatch: 'permanent',
  component_unknown: 'permanent',
  downgrade_refused: 'permanent',
  size_mismatch: 'transient',
  digest_mismatch: 'transient',
  download_failed: 'transient',
  storage_failed: 'transient',
  install_failed: 'transient',
  boot_failed: 'permanent',
  self_test_failed: 'permanent',
  too_late: 'permanent',
  unknown_deployment: 'permanent',
  unknown_command: 'permanent',
  command_failed: 'permanent',
  deferred_too_long: 'permanent',
  undo_refused: 'permanent',
} as const satisfies Record<string, ErrorClass>;
export const deviceErrorCodes = Object.keys(deviceErrorClasses) as (keyof typeof deviceErrorClasses)[];
export const deviceErrorSchema = z.object({ code: z.enum(deviceErrorCodes), message: shortText.optional() });
export type DeviceError = z.infer<typeof deviceErrorSchema>;

/** The component that every device has: the program that speaks for it. Others are its children, such as an Arduino (`uno`). */
export const mainComponent = 'main';

/**
 * What a component runs now: the digest is over the image in the active slot, computed at boot.
 *
 * A child is reported by its parent, which speaks for it on its own topics (the child has no connection and no certificate):
 * - in each boot report (`status/health` with `seq` and `boot`), as an entry beside the main component's: `hardware` is the child's
 *   own (`arduino-uno`; a firmware is deployed to a child only when it is the same), `sha256` is over the flash as the parent has read
 *   it back, exactly as many bytes as the image that it last wrote, and `version` is the line that the child's program says after
 *   its reset. A child that does not answer, or says no version, is left out of that report, and what was known of it stays; one that
 *   is known to hold nothing that could run is reported with version `none`.
 * - in `firmware/download/result` of an update whose manifest names the child's component: `running` is the child's entry, likewise
 *   read back after flashing. `succeeded` counts only when its `component`, `sha256` and `version` are all the target's. A child that
 *   was flashed and verified but does not say the version is reported as `rolled_back` or `failed`, with `self_test_failed`.
 * Everything else (request, ack, progress, cancel) is as for the main component: the manifest's `component` says whose it is. A parent
 * works on one update at a time and answers `busy` to another one's; it need not boot after an update of a child, and a boot
 * meanwhile is reported with a `reason` other than `update`.
 */
export const runningSchema = z.object({
  component,
  /** Of a child; the main component's is the device's own and may be left out. */
  hardware: z.string().min(1).max(64).optional(),
  version: z.string().min(1).max(64),
  securityVersion: count,
  sha256,
  /** It knows undos (`undoSchema`), and its other slot may hold what ran before. One that does not say so is sent none. */
  undo: z.boolean().optional(),
  /** The form of patches (`patchSchema`) that it takes. One that does not say so is sent whole images. */
  patch: z.string().min(1).max(32).optional(),
  /** It takes compressed images: patches in that form which need no image (without `base`). */
  compressed: z.boolean().optional(),
  /** The form of sealed objects (`firmware/ENCRYPTION.md`) that it opens, with the key of its certificate. One that does not say so is sent none. */
  seal: z.string().min(1).max(32).optional(),
});
export type Running = z.infer<typeof runningSchema>;

/** Payload of the compact JWS (ES256, with a `kid`) that the firmware signing key makes; the device trusts nothing else. */
export const manifestSchema = z.object({
  component,
  hardware: z.string().min(1).max(64),
  version: z.string().min(1).max(64),
  securityVersion: count,
  fileName: z.string().min(1).max(128),
  size: z.int().positive(),
  sha256,
  /** Of the image's SBOM, so that what is said of its parts is as genuine as the image. Devices ignore it. */
  sbom: sha256.optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;

/**
 * The order to boot the previous image again, signed like a manifest: it is the manifest of that image, and says what it undoes. A device
 * obeys only if `undo.deployment` has brought it the image that it runs (`leaves`), before `expiresUnixMs`, and once; it reads its other
 * slot back, and boots it on trial when that is the image. Nothing is downloaded. `undo_refused` is its answer to any other.
 */
export const undoSchema = manifestSchema.extend({
  undo: z.object({ deployment: z.uuid(), leaves: sha256, expiresUnixMs: z.int().nonnegative() }),
});
export type Undo = z.infer<typeof undoSchema>;

/**
 * The manifest of an image that is sent as a patch: `url` is then that of the patch, of `patch.size` bytes, which makes the image out of one
 * whose digest is `base`, or out of nothing: without a `base` it is the image, compressed. A device to which it is of no use, or fails, asks for a fresh URL and says why (`patch` in a progress): it is sent
 * the same request with the image's own manifest and URL.
 */
export const patchSchema = manifestSchema.extend({
  patch: z.object({
    format: z.string().min(1).max(32),
    base: sha256.optional(),
    size: z.int().positive(),
    sha256,
  }),
});
export type PatchManifest = z.infer<typeof patchSchema>;

/**
 * Why a device takes the whole image although it was offered a patch: it is for another image or of another form, it cannot be downloaded, it is
 * none, it has made another image than the signed one, the server has sent the whole image meanwhile.
 */
export const patchFaults = ['refused', 'missing', 'broken', 'differs', 'withdrawn'] as const;
export type PatchFault = (typeof patchFaults)[number];

/** What a device does at the deadline when its application still puts an update off. */
export const deadlineActions = ['proceed', 'give_up'] as const;

/**
 * Start (or go on with) an update. The fragment of the URL of a sealed object (`#seal1=…`) brings its key, for this device and deployment. The same (deployment, attempt) again only brings a fresh URL. With an undo as its `manifest` it has no
 * `url`: a device that knows of none refuses it (`url_refused`).
 *
 * The application on a device may put installing and rebooting off until `deadlineUnixMs` (ms since 1970); then the device does what
 * `atDeadline` says (`give_up` when it is left out). Without a deadline the application is waited for. A device that knows
 * of neither ignores both.
 */
export const downloadRequestSchema = z.object({
  ...base,
  ...attemptOf,
  manifest: z.string().min(1).max(2048),
  url: z
    .url({ protocol: /^https$/ })
    .max(maxUrlBytes)
    // What JSON Schema has no other word for (`asyncapi.ts`).
    .meta({ pattern: '^https:' })
    .optional(),
  urlExpiresAt: z.iso.datetime({ offset: true }).optional(),
  deadlineUnixMs: z.int().nonnegative().optional(),
  atDeadline: z.enum(deadlineActions).optional(),
});
export type DownloadRequest = z.infer<typeof downloadRequestSchema>;

export const downloadCancelSchema = z.object({ ...base, ...attemptOf });

/** Answer to a request: `accepted: false` carries the reason in `error`. */
export const downloadRequestAckSchema = z.object({
  ...critical,
  ...attemptOf,
  accepted: z.boolean(),
  error: deviceErrorSchema.optional(),
});

/**
 * Why the application puts an update off, and until when if it can say: before it is installed (stage `verifying`), or before the
 * reboot into the installed image (stage `installing`). Repeated every minute or so; null says that it is over, for a progress without it may
 * only be late.
 */
export const deferredSchema = z.object({ until: at, reason: shortText });
export type Deferred = z.infer<typeof deferredSchema>;

/** `urlExpired: true` asks for a fresh URL and is repeated until one arrives, or a cancel: the server knows no such update (any more). */
export const downloadProgressSchema = z.object({
  ...base,
  ...attemptOf,
  stage: z.enum(['downloading', 'verifying', 'installing']),
  receivedBytes: bytes,
  totalBytes: bytes,
  chunkBytes: bytes.optional(),
  bytesPerSecond: z.number().nonnegative().optional(),
  urlExpired: z.boolean().optional(),
  deferred: deferredSchema.nullish(),
  /** Why the patch that was offered is not used. */
  patch: z.enum(patchFaults).optional(),
});

/** Figures of one attempt, kept across resets by the checkpoint. Bytes are those that came over the air. */
export const downloadStatsSchema = z.object({
  downloadMs: z.int().nonnegative(),
  resumes: z.int().nonnegative(),
  receivedBytes: bytes,
  redownloadedBytes: bytes,
  /** The image was made by the patch that was offered, or why not. */
  patch: z.enum(['applied', ...patchFaults]).optional(),
});
export type DownloadStats = z.infer<typeof downloadStatsSchema>;

/**
 * How an attempt ended. Sent after the boot that decided it, with what runs now: `succeeded` counts only when
 * `running.sha256` is the target's.
 */
export const downloadResultSchema = z.object({
  ...critical,
  ...attemptOf,
  outcome: z.enum(['succeeded', 'failed', 'rolled_back']),
  running: runningSchema,
  error: deviceErrorSchema.optional(),
  stats: downloadStatsSchema.optional(),
});

/** `cancelled: false` with `too_late` when the new image is already being installed or confirmed. */
export const downloadCancelAckSchema = z.object({
  ...critical,
  ...attemptOf,
  cancelled: z.boolean(),
  error: deviceErrorSchema.optional(),
});

export const statusSystemSchema = z.object({
  ...base,
  uptimeMs: z.number().nonnegative(),
  freeHeapBytes: bytes.optional(),
  freeStorageBytes: bytes.optional(),
  temperatureC: z.number().optional(),
  cpuPercent: z.number().min(0).max(100).optional(),
});
export const statusNetworkSchema = z.object({
  ...base,
  rssiDbm: z.number().optional(),
  ip: z.string().max(64).optional(),
  ssid: z.string().max(64).optional(),
  reconnects: z.int().nonnegative().optional(),
});
const address = z.string().regex(/^0x[0-9a-f]{1,16}$/);
/**
 * What a device knows of the crash that ended a life of its, as a core dump summarises it. Each report of health carries it until a boot report
 * that does is stored on the device, so the same one comes again under its `id`, and counts once. An image on trial, which reports no boot
 * before it is confirmed and may crash before that again, sends it in plain telemetry as soon as it is connected.
 */
export const crashSchema = z.object({
  id: messageId,
  /** In the system's own words: `LoadProhibited`, the message of an assertion. */
  reason: z.string().min(1).max(128),
  task: z.string().min(1).max(64).optional(),
  /**
   * SHA-256 of the ELF that the program was made from (`esp_app_desc_t`), or as much of its beginning as is known. A program that does not know it
   * tells the digest of its image, whole.
   */
  elf: z.string().regex(/^[0-9a-f]{8,64}$/),
  pc: address,
  /** The crashed call first; addresses as in the ELF. */
  backtrace: z.array(address).max(32),
  /** The end of the backtrace is not to be trusted. */
  corrupted: z.boolean().optional(),
});
export type Crash = z.infer<typeof crashSchema>;

/** With `seq` and `boot` it is the critical report of a boot; without them, plain telemetry. */
export const statusHealthSchema = z.object({
  ...base,
  seq: seq.optional(),
  epoch: epoch.optional(),
  state: z.enum(['ok', 'degraded', 'failing']),
  running: z.array(runningSchema).min(1).max(8),
  hardware: z.string().min(1).max(64).optional(),
  boot: z
    .object({
      count: z.int().nonnegative(),
      reason: z.enum(['power_on', 'update', 'rollback', 'watchdog', 'command', 'unknown']),
    })
    .optional(),
  crash: crashSchema.optional(),
});
export type StatusHealth = z.infer<typeof statusHealthSchema>;

/** Numbers by name; non-finite values cannot be written in JSON and so cannot arrive. */
export const dataSchema = z.object({
  ...base,
  values: z
    .record(z.string().min(1).max(64), z.number())
    .refine((v) => Object.keys(v).length <= 64)
    .meta({ maxProperties: 64 }),
});
export const logSchema = z.object({
  ...base,
  level: z.enum(['debug', 'info', 'warn', 'error']),
  message: z.string().max(4096),
});

export const controlCommandSchema = z.object({
  ...base,
  command: z.string().regex(/^[a-z][a-z0-9_.-]{0,63}$/),
  args: bounded(z.record(z.string(), z.json())).optional(),
});
/** `command` is the id of the command that it answers. */
export const controlResponseSchema = z.object({
  ...critical,
  command: messageId,
  ok: z.boolean(),
  result: bounded(z.json()).optional(),
  error: deviceErrorSchema.optional(),
});

/** PKCS#10, PEM. The first published form is `{id, csr}`, so the other common fields are optional here. */
export const certRenewRequestSchema = z.object({
  id: messageId,
  at: at.optional(),
  seq: seq.optional(),
  epoch: epoch.optional(),
  csr: z.string().min(1).max(8192),
});
/** Codes of a refused certificate request; the same ones that `POST /api/issue_cert` answers. */
export const certErrorCodes = [
  'csr_malformed',
  'csr_signature_invalid',
  'csr_name_mismatch',
  'csr_key_refused',
  'csr_too_large',
  'csr_name_refused',
  'csr_extension_refused',
  'not_due',
  'device_banned',
  'ca_unavailable',
] as const;
/** `request` is the id of the request. Either certificate and chain (PEM, leaf first, no root) or an error. */
export const certRenewResponseSchema = z.object({
  ...base,
  request: messageId,
  certificate: z.string().optional(),
  chain: z.string().optional(),
  error: z.object({ code: z.enum(certErrorCodes), message: shortText.optional() }).optional(),
});
export type CertRenewResponse = z.infer<typeof certRenewResponseSchema>;

/** Names critical messages that are committed: the device stops sending them. */
export const ackSchema = z.object({ ids: z.array(messageId).min(1).max(64) });

/** Every topic as a device sees it. */
export const topics = {
  'firmware/download/request': { direction: 'down', class: 'command', schema: downloadRequestSchema },
  'firmware/download/cancel': { direction: 'down', class: 'command', schema: downloadCancelSchema },
  'firmware/download/request/ack': { direction: 'up', class: 'critical', schema: downloadRequestAckSchema },
  'firmware/download/progress': { direction: 'up', class: 'telemetry', schema: downloadProgressSchema },
  'firmware/download/result': { direction: 'up', class: 'critical', schema: downloadResultSchema },
  'firmware/download/cancel/ack': { direction: 'up', class: 'critical', schema: downloadCancelAckSchema },
  'status/system': { direction: 'up', class: 'telemetry', schema: statusSystemSchema },
  'status/network': { direction: 'up', class: 'telemetry', schema: statusNetworkSchema },
  'status/health': { direction: 'up', class: 'critical', schema: statusHealthSchema },
  'data/sensors': { direction: 'up', class: 'telemetry', schema: dataSchema },
  'data/metrics': { direction: 'up', class: 'telemetry', schema: dataSchema },
  log: { direction: 'up', class: 'telemetry', schema: logSchema },
  'control/command': { direction: 'down', class: 'command', schema: controlCommandSchema },
  'control/response': { direction: 'up', class: 'critical', schema: controlResponseSchema },
  'cert/renew/request': { direction: 'up', class: 'critical', schema: certRenewRequestSchema },
  'cert/renew/response': { direction: 'down', class: 'command', schema: certRenewResponseSchema },
  ack: { direction: 'down', class: 'command', schema: ackSchema },
} as const satisfies Record<string, { direction: Direction; class: MessageClass; schema: z.ZodType }>;

export type Topic = keyof typeof topics;
export type UplinkTopic = { [T in Topic]: (typeof topics)[T]['direction'] extends 'up' ? T : never }[Topic];
export type DownlinkTopic = Exclude<Topic, UplinkTopic>;
export type MessageOf<T extends Topic> = z.infer<(typeof topics)[T]['schema']>;

/** The topic by which the webhook knows that a device can be reached: commands published earlier would be lost. */
export const requestTopic = 'firmware/download/request' satisfies DownlinkTopic;

/** `devices/<id>/<topic>`, as rules and the publish API see it. */
export function mountedTopic(deviceId: string, topic: string): string {
  return `devices/${deviceId}/${topic}`;
}

/**
 * Takes a mounted topic apart. Certificate topics are also known with a leading slash (as first published): `slash` says
 * so, for the answer goes to the sibling of the topic that the request came on. Null when it is nobody's topic.
 */
export function parseMountedTopic(
  mounted: string,
): { deviceId: string; topic: Topic; slash: boolean } | null {
  const match = /^devices\/([A-Za-z0-9_-]{1,64})\/(\/?)(.+)$/.exec(mounted);
  if (!match) return null;
  const [, deviceId, slash, topic] = match as unknown as [string, string, string, string];
  if (!Object.hasOwn(topics, topic)) return null;
  if (slash && !topic.startsWith('cert/renew/')) return null;
  return { deviceId, topic: topic as Topic, slash: slash === '/' };
}

/** ms since 1970, until the year 9999: a later one is no date as ISO 8601 and PostgreSQL write it. */
const moment = z.number().min(0).max(253_402_300_799_999);

/**
 * What the rules post to `POST /emqx/events`: one row a request, as the SELECT lists of `rules/*.hocon` name it. The payload
 * stays text here, so that a device's broken JSON reaches the webhook (and its dead letters) instead of failing the rule.
 */
export const brokerMessageSchema = z.object({
  event: z.literal('message'),
  clientid: z.string(),
  topic: z.string(),
  payload: z.string(),
  /** Subject of the client's certificate (`SERIALNUMBER=0A1B,CN=dev-1`); the text "undefined" where there was none. */
  cert: z.string(),
  /** When the broker received it, ms since 1970. */
  received_at: moment,
});
export const brokerConnectedSchema = z.object({
  event: z.literal('connected'),
  clientid: z.string(),
  cert: z.string(),
  peername: z.string(),
  connected_at: moment,
});
export const brokerDisconnectedSchema = z.object({
  event: z.literal('disconnected'),
  clientid: z.string(),
  reason: z.string(),
  connected_at: moment,
  disconnected_at: moment,
});
export const brokerSubscribedSchema = z.object({
  event: z.literal('subscribed'),
  clientid: z.string(),
  topic: z.string(),
  cert: z.string(),
});
export const brokerEventSchema = z.discriminatedUnion('event', [
  brokerMessageSchema,
  brokerConnectedSchema,
  brokerDisconnectedSchema,
  brokerSubscribedSchema,
]);
export type BrokerEvent = z.infer<typeof brokerEventSchema>;
export type BrokerMessage = z.infer<typeof brokerMessageSchema>;
