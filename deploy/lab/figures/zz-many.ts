import { silent } from '../fleet/display.ts';
import { runExperiment } from '../fleet/experiment.ts';
import { openSubject } from '../fleet/subject.ts';
const devices = process.argv[2] ?? '800';
const system = await openSubject({ devices: Number(devices) });
try {
  for (let i = 0; i < Number(process.argv[3] ?? 1); i++) {
    const { signal } = new AbortController();
    const { figures, problems } = await runExperiment({ name: 'many', options: { devices, image: '1MiB' }, system, display: silent, signal });
    console.log(devices, figures.successPercent, 'cpu', figures.processorMsPerDevice, 'kB', (figures.bytesPerDevice! / 1000) | 0, 'ms', figures.to100Ms, problems.length);
  }
} finally { await system.close(); }
