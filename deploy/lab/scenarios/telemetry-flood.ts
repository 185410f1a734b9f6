import { failing } from '../faults.ts';
import { outage } from '../outage/outage.ts';
import { until } from '../primitives/until.ts';
import { readActionMetrics } from '../system/broker.ts';

/** Between two reports of every device: the broker has taken the first by then, or is slow. */
const reportMs = 500;

export default outage({
  title: 'Telemetry floods a webhook that hangs',
  about:
    'The broker keeps what fits into its buffer and drops the rest, and no critical message is among it.',
  faults: ({ system }) => [failing(system.gate!, 'hang')],
  async during({ system, talk, settings }) {
    const read = () => readActionMetrics(system.emqx, 'telemetry');
    const { 'dropped.queue_full': before } = await read();
    // Until it is full, however large it is: what is sent and hangs is not in it, and is given up after a while.
    let reports = 0;
    const flood = async () => {
      await talk.prepare(1);
      await talk.ask('report');
      reports++;
      return until(read, (now) => now['dropped.queue_full']! > before!, reportMs).catch(() => null);
    };
    const { queuing_bytes } = await until('a full buffer', flood, settings.recoveryMs);
    const bound = settings.telemetryBufferBytes + settings.bufferSlackBytes;
    if (queuing_bytes! > bound) throw new Error(`${queuing_bytes} bytes wait, ${bound} are the bound`);
    return reports;
  },
});
