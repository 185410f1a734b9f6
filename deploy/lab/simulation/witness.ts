/** Tells the invariants what passes through the broker. */
import { requestTopic, topics } from '#emqx/protocol.ts';
import type { ModelledBroker } from './broker.ts';
import type { Invariants } from './promises/invariants.ts';
import type { Stage } from './stage.ts';

export function witness(broker: ModelledBroker, { messages, requests }: Invariants, stage: Stage): void {
  broker.onUplink = (deviceId, topic, payload) => {
    if (topics[topic as keyof typeof topics].class !== 'critical') return;
    const { id, seq } = JSON.parse(payload) as { id: string; seq?: unknown };
    if (seq) messages.said(deviceId, id);
  };
  broker.onAsk = (deviceId, topic, payload) => {
    if (topic !== requestTopic) return;
    const { deployment, attempt } = readRequest(payload);
    requests.offered(deployment, deviceId, attempt);
  };
  broker.onPublish = (deviceId, topic, payload) => {
    if (topic !== requestTopic) return;
    const { deployment, attempt } = readRequest(payload);
    stage.watch(() => requests.sent(deployment, deviceId, attempt, stage.time.now));
  };
  broker.onDeliver = (deviceId, topic, payload) => {
    if (topic !== 'ack') return;
    for (const id of (JSON.parse(payload) as { ids: string[] }).ids)
      stage.watch(() => messages.acked(deviceId, id));
  };
}

function readRequest(payload: string): { deployment: string; attempt: number } {
  return JSON.parse(payload) as { deployment: string; attempt: number };
}
