/** What MQTT 3.1.1 asks of a packet that a client sends, as far as the parser does not see to it. */
import type { Packet } from 'mqtt-packet';

/** §4.7.1: a topic name; filters may hold wildcards. */
export const isName = (topic: string) => topic !== '' && !/[+#\0]/.test(topic);
const isFilter = (topic: string) => topic !== '' && !topic.includes('\0');
/** §2.3.1; the parser gives -1 where the packet ended before it. */
const hasId = ({ messageId = 0 }: { messageId?: number | undefined }) => messageId > 0;

/** What is wrong with it; null when it is well-formed. */
export function findFlaw(packet: Packet): string | null {
  const { cmd, length = 0 } = packet;
  switch (packet.cmd) {
    case 'connect':
      // §3.1.2.9 [MQTT-3.1.2-22]
      return packet.password && packet.username === undefined ? 'password without user name' : null;
    case 'publish':
      if (!isName(packet.topic)) return 'PUBLISH: no topic name';
      return packet.qos === 0 || hasId(packet) ? null : 'PUBLISH: no packet identifier';
    case 'puback':
    case 'pubrec':
    case 'pubrel':
    case 'pubcomp':
      return hasId(packet) && length === 2 ? null : `${cmd}: no packet identifier alone`;
    case 'subscribe': {
      const topics = packet.subscriptions.map(({ topic }) => topic);
      return hasId(packet) && topics.length > 0 && topics.every(isFilter) ? null : 'SUBSCRIBE: to nothing';
    }
    case 'unsubscribe': {
      const topics = packet.unsubscriptions;
      return hasId(packet) && topics.length > 0 && topics.every(isFilter)
        ? null
        : 'UNSUBSCRIBE: from nothing';
    }
    case 'pingreq':
    case 'disconnect':
      return length === 0 ? null : `${cmd}: has a body`;
    default:
      return `${cmd}: no packet of a client`;
  }
}
