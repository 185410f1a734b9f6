/** The columns that EMQX's rules see of each event. */
import { isUtf8 } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { newRow, type Row } from '../json.ts';
import type { Session } from './sessions.ts';

export interface Message {
  topic: string;
  payload: Buffer;
  qos: number;
  retain: boolean;
  dup: boolean;
}

/** As long as EMQX's; new for each message that is received. */
export const newMessageId = () => randomBytes(16).toString('hex').toUpperCase();

function event(name: string, session: Session | null, columns: object): Row {
  return newRow({
    ...{ clientid: session?.clientid ?? 'http_api', username: undefined, peerhost: session?.peer.host },
    peername: session ? `${session.peer.host}:${session.peer.port}` : undefined,
    client_attrs: newRow(session?.attrs),
    ...columns,
    ...{ event: name, timestamp: BigInt(Date.now()), node: 'emqx@127.0.0.1' },
  });
}

export function messagePublished({ topic, payload, qos, retain, dup }: Message, from: Session | null): Row {
  return event('message.publish', from, {
    ...{ id: newMessageId(), topic, qos: BigInt(qos), flags: newRow({ retain, dup }) },
    payload: isUtf8(payload) ? payload.toString('utf8') : payload,
    pub_props: newRow({ 'User-Property': newRow() }),
    publish_received_at: BigInt(Date.now()),
  });
}

function connection(name: string, session: Session, columns: object): Row {
  return event(name, session, {
    ...{ mountpoint: session.prefix, proto_name: 'MQTT', proto_ver: BigInt(session.protocolVersion) },
    ...{ keepalive: BigInt(session.keepalive), clean_start: !session.persistent },
    connected_at: BigInt(session.connectedAt),
    ...columns,
  });
}

export function clientConnected(session: Session): Row {
  return connection('client.connected', session, {});
}

export function clientDisconnected(session: Session, reason: string): Row {
  const at = session.disconnectedAt ?? Date.now();
  return connection('client.disconnected', session, { reason, disconnected_at: BigInt(at) });
}

/** `topic` is the mounted one. */
export function sessionSubscribed(session: Session, topic: string, qos: number): Row {
  return event('session.subscribed', session, { topic, qos: BigInt(qos), sub_props: newRow() });
}
