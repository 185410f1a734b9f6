/** The trust boundary for what devices say: a broker's row becomes a typed input, or is refused with a code. Pure. */
import { hash } from 'node:crypto';
import {
  type BrokerEvent,
  type BrokerMessage,
  deviceIdSchema,
  isWithinJsonLimits,
  jsonTooComplex,
  type MessageOf,
  maxUplinkBytes,
  parseMountedTopic,
  requestTopic,
  topics,
  type UplinkTopic,
} from '#emqx/protocol.ts';

export type RejectCode =
  | 'event_malformed'
  | 'topic_unknown'
  | 'client_mismatch'
  | 'payload_too_large'
  | 'payload_not_json'
  | 'payload_too_complex'
  | 'payload_invalid'
  | 'certificate_mismatch'
  | 'certificate_revoked'
  | 'device_unknown'
  | 'device_banned'
  | 'deployment_unknown'
  | 'id_reused';

export interface Reject {
  kind: 'reject';
  code: RejectCode;
  detail: string;
  /** Null where the row names none. */
  clientId: string | null;
  topic: string | null;
}
/** `kept`: as a dead letter; of a flood, what comes above the allowance is only counted. */
export interface Refusal extends Reject {
  kept: boolean;
}

/** One message of one topic; `critical` has what acknowledging and ordering it needs. */
export type DeviceMessage = {
  [T in UplinkTopic]: {
    kind: 'message';
    deviceId: string;
    topic: T;
    message: MessageOf<T>;
    receivedAt: number;
    /** Of the connection that it came over; null where the row names none. */
    certificateSerial: string | null;
    slash: boolean;
    critical: { id: string; seq: [number, number] | null; epoch: string | null; digest: string } | null;
  };
}[UplinkTopic];
/** One of these topics. */
export type MessageOn<T extends UplinkTopic> = Extract<DeviceMessage, { topic: T }>;

export type Input =
  | DeviceMessage
  | { kind: 'connected'; deviceId: string; connectedAt: number; certificateSerial: string | null }
  | { kind: 'disconnected'; deviceId: string; connectedAt: number }
  | { kind: 'subscribed'; deviceId: string; certificateSerial: string | null }
  | { kind: 'ignored' }
  | Reject;

export function classify(event: BrokerEvent): Input {
  switch (event.event) {
    case 'connected': {
      if (!isDeviceId(event.clientid)) return reject(event, 'device_unknown', 'no device has such an id');
      const subject = parseSubject(event.cert);
      if (subject.commonName !== event.clientid) {
        return reject(event, 'certificate_mismatch', `certificate of ${subject.commonName ?? 'nobody'}`);
      }
      return {
        kind: 'connected',
        deviceId: event.clientid,
        connectedAt: event.connected_at,
        certificateSerial: subject.serial,
      };
    }
    case 'disconnected':
      if (!isDeviceId(event.clientid)) return reject(event, 'device_unknown', 'no device has such an id');
      return { kind: 'disconnected', deviceId: event.clientid, connectedAt: event.connected_at };
    case 'subscribed': {
      const parsed = parseMountedTopic(event.topic);
      if (parsed?.deviceId !== event.clientid || parsed.topic !== requestTopic) return { kind: 'ignored' };
      return {
        kind: 'subscribed',
        deviceId: event.clientid,
        certificateSerial: parseSubject(event.cert).serial,
      };
    }
    case 'message':
      return classifyMessage(event);
  }
}

function classifyMessage(event: BrokerMessage): Input {
  const parsed = parseMountedTopic(event.topic);
  if (!parsed || topics[parsed.topic].direction !== 'up') {
    return reject(event, 'topic_unknown', 'no uplink topic of the protocol');
  }
  // The broker vouches for the client id alone: what another client (or the publish API) sends in a device's name is not the device's.
  if (event.clientid !== parsed.deviceId) {
    return reject(event, 'client_mismatch', `client ${event.clientid} spoke as device ${parsed.deviceId}`);
  }
  if (Buffer.byteLength(event.payload) > maxUplinkBytes) {
    return reject(event, 'payload_too_large', `more than ${maxUplinkBytes} bytes`);
  }
  const json = parseJson(event.payload);
  if (json === undefined) return reject(event, 'payload_not_json', 'not JSON');
  if (!isWithinJsonLimits(json)) {
    return reject(event, 'payload_too_complex', jsonTooComplex);
  }
  if (!isStorable(event.payload, json)) {
    return reject(event, 'payload_not_json', 'with a NUL character or half a surrogate pair');
  }
  const { schema, class: messageClass } = topics[parsed.topic];
  const result = schema.safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0]!;
    return reject(event, 'payload_invalid', `${issue.path.join('.') || 'message'}: ${issue.message}`);
  }
  const message = result.data as { id: string; seq?: [number, number]; epoch?: string };
  // status/health is critical only as the report of a boot, which carries a seq; a renewal always is.
  const isCritical =
    messageClass === 'critical' && (message.seq !== undefined || parsed.topic !== 'status/health');
  return {
    kind: 'message',
    deviceId: parsed.deviceId,
    topic: parsed.topic,
    message: result.data,
    receivedAt: event.received_at,
    certificateSerial: parseSubject(event.cert).serial,
    slash: parsed.slash,
    critical: isCritical
      ? {
          id: message.id,
          seq: message.seq ?? null,
          epoch: message.epoch ?? null,
          digest: digest(parsed.topic, event.payload),
        }
      : null,
  } as DeviceMessage;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** PostgreSQL's text holds neither: such a message is refused here instead of failing its whole commit group. */
function isStorable(text: string, json: unknown): boolean {
  // Nearly every message ends here.
  if (!text.includes('\\u') && !/\p{Surrogate}/u.test(text)) return true;
  // Written anew, whole pairs are characters and only what stands alone is escaped; so are backslashes, which go first.
  return !/\\u(?:0000|d[89a-f])/.test(JSON.stringify(json).replaceAll('\\\\', ''));
}

function digest(topic: string, payload: string): string {
  return hash('sha256', `${topic}\n${payload}`);
}

/** `SERIALNUMBER=0A1B,CN=dev-1`, as the broker prints a subject. */
export function parseSubject(subject: string): { commonName: string | null; serial: string | null } {
  let commonName: string | null = null;
  let serial: string | null = null;
  for (const part of subject.split(',')) {
    const [, name, value] = /^\s*(CN|SERIALNUMBER)=(.*?)\s*$/is.exec(part) ?? [];
    if (name?.length === 2) commonName ??= value!;
    else if (name) serial ??= value!.toUpperCase();
  }
  return { commonName, serial: serial && /^[0-9A-F]{1,64}$/.test(serial) ? serial : null };
}

/** Anything else, as text, might not even be storable. */
export function isDeviceId(text: string): boolean {
  return deviceIdSchema.safeParse(text).success;
}

export function reject(event: BrokerEvent, code: RejectCode, detail: string): Reject {
  return {
    kind: 'reject',
    code,
    detail,
    clientId: event.clientid,
    topic: 'topic' in event ? event.topic : null,
  };
}
