/** A process full of devices; started by the runner, which it does not outlive. */
import { readFileSync } from 'node:fs';
import type { Crew, News, Order } from './messages.ts';
import { WatchedDevice } from './watched-device.ts';

const samplesMs = 500;
/** The heap may grow by so much before what is dead in it is collected; by itself V8 lets it double. */
const heapGrowth = 1.2;
/** Handshakes under way at once: more only make each other late. */
const startingMax = 32;

const devices: WatchedDevice[] = [];
let ended: string[] = [];
let results = 0;
let sampling: NodeJS.Timeout | undefined;
let stopping = false;
let sampledPeak = 0;
let liveBytes = 0;

// Ctrl-C reaches every process of a terminal; the runner decides what it means.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('disconnect', () => process.exit(1));
process.on('message', (order: Order) => {
  switch (order.do) {
    case 'start':
      return void start(order.crew);
    case 'measure':
      for (const device of devices) device.measure();
      return;
    case 'disturb':
      for (const device of devices) device.disturb();
      return;
    case 'power':
      for (const [i, device] of devices.entries())
        if (i % (order.every ?? 1) === 0) device.cutPower(order.offMs);
      return;
    case 'stop':
      return void stop();
  }
});
void tell({ news: 'up' });

async function start(crew: Crew): Promise<void> {
  sampling = setInterval(sample, samplesMs);
  let starting = 0;
  let wake = () => {};
  for (let i = 0; i < crew.devices.length && !stopping; i++) {
    const watched = new WatchedDevice(crew, i, (id) => {
      results++;
      ended.push(id);
    });
    devices.push(watched);
    starting++;
    watched.device.once('online', () => {
      starting--;
      wake();
    });
    // A network so bad that nobody gets through must not keep the rest from trying.
    const patience = setTimeout(() => wake(), 1_000);
    if (starting >= startingMax)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    clearTimeout(patience);
  }
}

function collect(): void {
  if (process.memoryUsage().heapUsed < liveBytes * heapGrowth) return;
  globalThis.gc?.();
  liveBytes = process.memoryUsage().heapUsed;
}

function sample(): void {
  collect();
  sampledPeak = Math.max(sampledPeak, process.memoryUsage.rss());
  let online = 0;
  let receivedBytes = 0;
  for (const watched of devices) {
    if (watched.device.online) online++;
    receivedBytes += watched.receivedBytes;
  }
  void tell({ news: 'sample', sample: { online, receivedBytes, results, ended } });
  ended = [];
}

async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  clearInterval(sampling);
  const reports = devices.map((device) => device.report());
  const { user, system } = process.cpuUsage();
  const processorMs = (user + system) / 1000;
  // Disconnecting drops what is still on its way, and the reports of thousands take several turns.
  const told = tell({ news: 'stopped', devices: reports, peakBytes: readPeak(), processorMs });
  await Promise.all([told, ...devices.map(({ device }) => device.close())]);
  process.disconnect?.();
}

/** Not `resourceUsage().maxRSS`: on Linux that begins with what the parent had when it forked. */
function readPeak(): number {
  try {
    const status = readFileSync('/proc/self/status', 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) * 1024;
  } catch {
    return sampledPeak;
  }
}

/** Resolves when it has been sent, or cannot be any more: the runner may go meanwhile. */
function tell(news: News): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send!(news, undefined, undefined, () => resolve());
    else resolve();
  });
}
