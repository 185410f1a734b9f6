import {
  type DeviceError,
  type DownlinkTopic,
  downloadRequestSchema,
  type MessageOf,
  maxCertificateDownlinkBytes,
  maxDownlinkBytes,
  topics,
} from '#emqx/protocol.ts';

export type Downlink = { [T in DownlinkTopic]: { topic: T; message: MessageOf<T> } }[DownlinkTopic];

/** A request that names its attempt but cannot be carried out: it deserves an answer. */
export interface RefusedRequest {
  deployment: string;
  attempt: number;
  error: DeviceError;
}

export type ReadDownlink = Downlink | { refused: RefusedRequest } | { problem: string };

const attemptSchema = downloadRequestSchema.pick({ deployment: true, attempt: true });

/** Reads one message from the broker; never throws. */
export function readDownlink(topic: string, payload: Uint8Array): ReadDownlink {
  const known = Object.hasOwn(topics, topic) ? topics[topic as DownlinkTopic] : undefined;
  if (known?.direction !== 'down') return { problem: 'not a topic for devices' };
  const limit = topic.startsWith('cert/') ? maxCertificateDownlinkBytes : maxDownlinkBytes;
  // The ack of a full outbox and a request with the longest URL both fit; what does not is no message of ours.
  if (payload.length > limit) return { problem: `${payload.length} bytes, at most ${limit} are allowed` };
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    return { problem: 'not JSON' };
  }
  const parsed = known.schema.safeParse(json);
  if (parsed.success) return { topic, message: parsed.data } as Downlink;
  const issue = parsed.error.issues[0];
  const problem = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'invalid'}`.slice(0, 200);
  const attempt = topic === 'firmware/download/request' ? attemptSchema.safeParse(json) : null;
  if (!attempt?.success) return { problem };
  const aboutUrl = parsed.error.issues.some(({ path }) => path[0] === 'url');
  return {
    refused: { ...attempt.data, error: { code: aboutUrl ? 'url_refused' : 'bad_request', message: problem } },
  };
}
