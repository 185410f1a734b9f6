import '#deploy/lab/primitives/closed-pipe.ts';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { measureBroker } from './broker.ts';
import { measureCa } from './ca.ts';
import { measureConsole } from './console.ts';
import { measureDelta } from './delta.ts';
import { measureEmqx } from './emqx.ts';
import { describeChange, type Figure, type Figures } from './figures.ts';
import { measureFleet } from './fleet.ts';
import { measureGate } from './gate.ts';
import { measureIngest } from './ingest.ts';
import { measureMillion } from './million.ts';
import { measurePeer } from './peer.ts';
import { measureProgress } from './progress.ts';
import { measureQueries } from './queries.ts';
import { measureRollout } from './rollout.ts';
import { measureSbom } from './sbom.ts';
import { measureStart } from './start.ts';
import { measureTelemetry } from './telemetry.ts';
import { measureUndo } from './undo.ts';

interface Benchmark {
  /** Per core: it runs pinned to one where the system can do that. */
  oneCore: boolean;
  /** Options for V8, where memory is measured: left alone it lets garbage lie as long as the machine has room. */
  v8?: string[];
  measure(): Promise<Figures>;
}

/** Add yours here; each runs in a process of its own, one after the other. */
const benchmarks: Record<string, Benchmark> = {
  ca: { oneCore: true, measure: measureCa },
  console: { oneCore: false, measure: measureConsole },
  emqx: { oneCore: false, measure: measureEmqx },
  broker: { oneCore: false, measure: measureBroker },
  ingest: { oneCore: false, measure: measureIngest },
  rollout: {
    oneCore: false,
    v8: ['--max-old-space-size=160', '--max-semi-space-size=8'],
    measure: measureRollout,
  },
  million: {
    oneCore: false,
    v8: ['--max-old-space-size=160', '--max-semi-space-size=8'],
    measure: measureMillion,
  },
  queries: { oneCore: false, measure: measureQueries },
  telemetry: { oneCore: false, measure: measureTelemetry },
  progress: { oneCore: false, measure: measureProgress },
  fleet: { oneCore: false, measure: measureFleet },
  peer: { oneCore: false, measure: measurePeer },
  gate: { oneCore: false, measure: measureGate },
  undo: { oneCore: false, measure: measureUndo },
  sbom: { oneCore: false, measure: measureSbom },
  start: { oneCore: false, measure: measureStart },
  delta: { oneCore: false, measure: measureDelta },
};

const help = `npm run bench [-- --json] [NAME …]      figures as ratios against a baseline measured in the same run

  NAME        ${Object.keys(benchmarks).join(', ')} (default: all)
  --json      one object: {"<name>": {"value", "unit", "baseline", "ratio", "aim"}, …}
  --compare FILE   an earlier run's --json: each figure beside what it was
  --help
`;

try {
  await run();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}

async function run(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      compare: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
      // Internal: measure one here and print it.
      one: { type: 'string' },
    },
  });
  if (values.help) return console.log(help);
  if (values.one !== undefined) return console.log(JSON.stringify(await pick(values.one).measure()));
  const names = positionals.length > 0 ? positionals : Object.keys(benchmarks);
  for (const name of names) pick(name);
  const before = values.compare === undefined ? null : readRun(values.compare);
  const figures: Figures = {};
  for (const name of names) {
    if (!values.json) process.stderr.write(`measuring ${name} …\n`);
    Object.assign(figures, measureApart(name));
  }
  if (values.json) return console.log(JSON.stringify(figures, null, 2));
  for (const [name, figure] of Object.entries(figures)) {
    console.log(describe(name, figure));
    if (before) console.log(`  ${describeChange(figure, before[name])}`);
  }
}

function pick(name: string): Benchmark {
  if (!Object.hasOwn(benchmarks, name)) throw new Error(`there is no benchmark "${name}"; see --help`);
  return benchmarks[name]!;
}

/** What one benchmark leaves behind in memory or in the compiler must not touch the next one's figures. */
function measureApart(name: string): Figures {
  const { oneCore, v8 = [] } = pick(name);
  const command = [process.execPath, ...v8, ...process.execArgv, process.argv[1]!, '--one', name];
  const pinned = oneCore && canPin() ? ['taskset', '-c', '0', ...command] : command;
  const output = execFileSync(pinned[0]!, pinned.slice(1), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  });
  return JSON.parse(output) as Figures;
}

function canPin(): boolean {
  try {
    execFileSync('taskset', ['-c', '0', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('taskset is not here: figures per core are measured on all cores\n');
    return false;
  }
}

/** Throws when it is no run. */
function readRun(path: string): Figures {
  const found: unknown = JSON.parse(readFileSync(path, 'utf8'));
  const isFigure = (one: unknown) => typeof (one as Figure | null)?.ratio === 'number';
  if (typeof found !== 'object' || found === null || !Object.values(found).every(isFigure))
    throw new Error(`${path} holds no figures of an earlier run with --json`);
  return found as Figures;
}

function describe(name: string, { value, unit, baseline, ratio, aim, processorUs }: Figure): string {
  const promised = aim === null ? '' : `, aim ${aim}: ${ratio >= aim ? 'reached' : 'NOT reached'}`;
  const processor = processorUs === undefined ? '' : `, ${processorUs} µs of processor time each`;
  return `${name}: ${value} ${unit}, baseline ${baseline}, ratio ${ratio}${processor}${promised}`;
}
