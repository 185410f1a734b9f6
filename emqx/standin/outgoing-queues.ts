/**
 * What aedes keeps for persistent sessions, bounded as EMQX bounds it: at most so many messages a session, of any QoS, the
 * oldest dropped first, and none delivered after its expiry. Replaces those methods of aedes' memory persistence.
 */
import { Readable } from 'node:stream';

export interface QueuedPacket {
  brokerId?: string;
  brokerCounter?: number;
  messageId?: number | undefined;
  /** Milliseconds since 1970. */
  messageExpiry?: number;
  cmd: string;
  qos?: number;
}
interface Client {
  id: string;
}

export function isExpired({ messageExpiry }: { messageExpiry?: number }): boolean {
  return messageExpiry !== undefined && messageExpiry <= Date.now();
}

export function createOutgoingQueues(maxMessages: number) {
  const queues = new Map<string, QueuedPacket[]>();
  const queueOf = (id: string) => queues.get(id) ?? [];
  const enqueue = (id: string, packet: QueuedPacket) => {
    queues.set(id, [...queueOf(id), { ...packet, messageId: undefined }].slice(-maxMessages));
  };
  const isOf = (a: QueuedPacket, b: QueuedPacket) =>
    a.brokerId === b.brokerId ? a.brokerCounter === b.brokerCounter : a.messageId === b.messageId;

  return {
    enqueue,
    drop: (id: string) => queues.delete(id),
    /** The methods that aedes calls. */
    persistence: {
      /** The retainer is off. */
      async storeRetained() {},
      async outgoingEnqueue({ clientId }: { clientId: string }, packet: QueuedPacket) {
        enqueue(clientId, packet);
      },
      async outgoingEnqueueCombi(subscribers: { clientId: string }[], packet: QueuedPacket) {
        for (const { clientId } of subscribers) enqueue(clientId, packet);
      },
      async outgoingUpdate({ id }: Client, packet: QueuedPacket) {
        const queue = queueOf(id);
        const at = queue.findIndex((queued) => isOf(queued, packet));
        // Dropped for a newer one meanwhile: it is delivered all the same, only not kept.
        if (at < 0) return;
        // Nobody acknowledges a QoS 0: it goes out now.
        if (packet.qos === 0) queue.splice(at, 1);
        else if (queue[at]!.brokerId === packet.brokerId) queue[at]!.messageId = packet.messageId;
        else queue[at] = packet;
      },
      async outgoingClearMessageId({ id }: Client, { messageId }: { messageId?: number }) {
        const at = queueOf(id).findIndex((packet) => packet.messageId === messageId);
        return at < 0 ? undefined : queueOf(id).splice(at, 1)[0];
      },
      outgoingStream({ id }: Client) {
        const live = queueOf(id).filter((packet) => !isExpired(packet));
        queues.set(id, live);
        return Readable.from([...live]);
      },
    },
  };
}
