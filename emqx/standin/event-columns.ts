/** The columns that EMQX's rules see of each event. */
import { isUtf8 } from 'node:buffer';
import { newRow, type Row } from './json.ts';
import type { Session } from './sessions.ts';

const node = 'emqx@127.0.0.1';
let counter = 0;

/** Looks like EMQX's message id; new for each message that is received. */
export function newMessageId(): string {
  counter = (counter + 1) % 0x10000;
  const micros = (BigInt(Date.now()) * 1000n).toString(16).padStart(16, '0');
  return `${micros}F44500000001${counter.toString(16).padStart(4, '0')}`.toUpperCase();
}

function basic(event: string, columns: Record<string, unknown>): Row {
  return Object.assign(newRow(), columns, { event, timestamp: BigInt(Date.now()), node });
}

function peername(session: Session): string {
  return `${session.peer.host}:${session.peer.port}`;
}

export function messagePublished(
  message: { topic: string; payload: Buffer; qos: number; retain: boolean; dup: boolean },
  session: Session | null,
): Row {
  const { payload } = message;
  return basic('message.publish', {
    id: newMessageId(),
    clientid: session?.clientid ?? 'http_api',
    username: undefined,
    payload: isUtf8(payload) ? payload.toString('utf8') : payload,
    peerhost: session?.peer.host,
    peername: session ? peername(session) : undefined,
    topic: message.topic,
    qos: BigInt(message.qos),
    flags: Object.assign(newRow(), { retain: message.retain, dup: message.dup }),
    pub_props: Object.assign(newRow(), { 'User-Property': newRow() }),
    publish_received_at: BigInt(Date.now()),
    client_attrs: Object.assign(newRow(), session?.attrs),
  });
}

function connection(session: Session): Record<string, unknown> {
  return {
    clientid: session.clientid,
    username: undefined,
    mountpoint: session.prefix,
    peername: peername(session),
    proto_name: 'MQTT',
    proto_ver: BigInt(session.protocolVersion),
    keepalive: BigInt(session.keepalive),
    clean_start: !session.persistent,
    connected_at: BigInt(session.connectedAt),
    client_attrs: Object.assign(newRow(), session.attrs),
  };
}

export function clientConnected(session: Session): Row {
  return basic('client.connected', connection(session));
}

export function clientDisconnected(session: Session, reason: string): Row {
  return basic('client.disconnected', {
    ...connection(session),
    reason,
    disconnected_at: BigInt(session.disconnectedAt ?? Date.now()),
  });
}

/** `topic` is the mounted one. */
export function sessionSubscribed(session: Session, topic: string, qos: number): Row {
  return basic('session.subscribed', {
    clientid: session.clientid,
    username: undefined,
    peerhost: session.peer.host,
    peername: peername(session),
    topic,
    qos: BigInt(qos),
    sub_props: newRow(),
    client_attrs: Object.assign(newRow(), session.attrs),
  });
}
