/**
 * What aedes keeps for persistent sessions, bounded as EMQX bounds it: at most so many QoS 1 and 2 messages a session, the
 * oldest dropped first, and none delivered after its expiry. Replaces those methods of aedes' memory persistence.
 */
import { Readable } from 'node:stream';

export interface QueuedPacket {
  brokerId?: string;
  brokerCounter?: number;
  messageId?: number;
  messageExpiry?: number;
  cmd: string;
}
interface Client {
  id: string;
}

export function createOutgoingQueues(maxMessages: number) {
  const queues = new Map<string, QueuedPacket[]>();

  const enqueue = (clientId: string, packet: QueuedPacket) => {
    const queue = queues.get(clientId) ?? [];
    queues.set(clientId, queue);
    queue.push({ ...packet, messageId: undefined });
    if (queue.length > maxMessages) queue.shift();
  };
  const live = (clientId: string): QueuedPacket[] => {
    const queue = queues.get(clientId) ?? [];
    const fresh = queue.filter(
      ({ messageExpiry }) => messageExpiry === undefined || messageExpiry > Date.now(),
    );
    if (fresh.length < queue.length) queues.set(clientId, fresh);
    return fresh;
  };

  return {
    /** The methods that aedes calls. */
    persistence: {
      async outgoingEnqueue({ clientId }: { clientId: string }, packet: QueuedPacket) {
        enqueue(clientId, packet);
      },
      async outgoingEnqueueCombi(subscribers: { clientId: string }[], packet: QueuedPacket) {
        for (const { clientId } of subscribers) enqueue(clientId, packet);
      },
      async outgoingUpdate({ id }: Client, packet: QueuedPacket) {
        const queue = queues.get(id) ?? [];
        const at = queue.findIndex(({ brokerId, brokerCounter, messageId }) =>
          brokerId === packet.brokerId
            ? brokerCounter === packet.brokerCounter
            : messageId === packet.messageId,
        );
        // Dropped for a newer one meanwhile: it is delivered all the same, only not kept.
        if (at < 0) return;
        if (queue[at]!.brokerId === packet.brokerId) queue[at]!.messageId = packet.messageId;
        else queue[at] = packet;
      },
      async outgoingClearMessageId({ id }: Client, { messageId }: { messageId?: number }) {
        const queue = queues.get(id) ?? [];
        const at = queue.findIndex((packet) => packet.messageId === messageId);
        return at < 0 ? undefined : queue.splice(at, 1)[0];
      },
      outgoingStream({ id }: Client) {
        return Readable.from([...live(id)]);
      },
    },
    length: (clientId: string) => live(clientId).length,
    drop: (clientId: string) => queues.delete(clientId),
  };
}
