/** Tells the invariants, and whoever listens there, what passes through the broker. */
import { requestTopic, topics } from '#emqx/protocol.ts';
import type { ModelledBroker } from './broker.ts';
import type { Forger } from './forger.ts';
import type { Invariants } from './promises/invariants.ts';
import { readRequest } from './requests.ts';
import type { Stage } from './stage.ts';

export function witness(
  broker: ModelledBroker,
  { messages, requests, undos }: Invariants,
  forger: Forger,
  stage: Stage,
): void {
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
    forger.hear(deviceId, topic, payload);
    if (topic !== requestTopic) return;
    const { deployment, attempt, url } = readRequest(payload);
    stage.watch(() => requests.sent(deployment, deviceId, attempt, stage.time.now));
    stage.watch(() => undos.sent(deployment, url !== undefined));
  };
  broker.onDeliver = (deviceId, topic, payload) => {
    if (topic !== 'ack') return;
    for (const id of (JSON.parse(payload) as { ids: string[] }).ids)
      stage.watch(() => messages.acked(deviceId, id));
  };
}
