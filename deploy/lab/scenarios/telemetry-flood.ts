import { failing } from '../faults.ts';
import { outage } from '../outage/outage.ts';
import { until } from '../primitives/until.ts';
import { readActionMetrics } from '../system/broker.ts';

/** Of four messages of telemetry that follow a `report`, as rows in the buffer, at least. */
const reportBytes = 1_200;

export default outage({
  title: 'Telemetry floods a webhook that hangs',
  about:
    'The broker keeps what fits into its buffer and drops the rest, and no critical message is among it.',
  faults: ({ system }) => [failing(system.gate!, 'hang')],
  async during({ system, talk, settings }) {
    const read = () => readActionMetrics(system.emqx, 'telemetry');
    const reports = Math.ceil((1.6 * settings.telemetryBufferBytes) / (reportBytes * settings.devices));
    await talk.prepare(reports);
    for (let i = 0; i < reports; i++) await talk.ask('report');
    const { queuing_bytes } = await until(read, (now) => now['dropped.queue_full']! > 0, settings.recoveryMs);
    const bound = settings.telemetryBufferBytes + settings.bufferSlackBytes;
    if (queuing_bytes! > bound) throw new Error(`${queuing_bytes} bytes wait, ${bound} are the bound`);
    return reports;
  },
});
