/** The ingest and the broker's client, counted from outside. */
import type { EmqxApi } from '#emqx/api.ts';
import { parseMountedTopic } from '#emqx/protocol.ts';
import type { Ingest } from '../events/ingest.ts';
import type { Labels, Metrics } from './metrics.ts';

export function observeIngest(ingest: Ingest, metrics: Metrics): Ingest {
  const known = new Map<string, Labels>();
  const labelsOf = (kind: string, outcome: string): Labels => {
    const labels = known.get(kind + outcome) ?? { kind, outcome };
    known.set(kind + outcome, labels);
    return labels;
  };
  return {
    ...ingest,
    async submit(input, raw, replay) {
      const start = performance.now();
      metrics.add('flota_ingest_waiting', 1);
      let outcome = 'failed';
      try {
        const reject = await ingest.submit(input, raw, replay);
        outcome = reject ? 'refused' : 'handled';
        return reject;
      } finally {
        metrics.add('flota_ingest_waiting', -1);
        metrics.count('flota_ingest_events_total', labelsOf(input.kind, outcome));
        metrics.observe('flota_ingest_seconds', (performance.now() - start) / 1000);
      }
    },
  };
}

export function observeGroup(metrics: Metrics) {
  return (events: number, ms: number): void => {
    metrics.observe('flota_ingest_group_events', events);
    metrics.observe('flota_ingest_commit_seconds', ms / 1000);
  };
}

export function observeBroker(broker: EmqxApi, metrics: Metrics): EmqxApi {
  return {
    ...broker,
    async publishBulk(messages) {
      const tell = (outcome: (i: number) => string) =>
        messages.forEach(({ topic }, i) => {
          const label = { topic: parseMountedTopic(topic)?.topic ?? 'other', outcome: outcome(i) };
          metrics.count('flota_published_total', label);
        });
      try {
        const outcomes = await broker.publishBulk(messages);
        tell((i) => outcomes[i]?.kind ?? 'failed');
        return outcomes;
      } catch (error) {
        tell(() => 'unreachable');
        throw error;
      }
    },
  };
}
