/** `npm run fleet`: a whole deployment over virtual devices, against a running Flota or a local one started for it. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import { openKey } from '#firmware/signing/key.ts';
import { interruption } from '../interruption.ts';
import { createRest } from '../rest.ts';
import { listScenarios, loadScenario } from '../scenario.ts';
import { compareStrategies } from './comparison.ts';
import { createDisplay } from './display.ts';
import { runExperiment, type Subject } from './experiment.ts';
import { describeOptions, type FleetOptions, OptionError, readOptions, toExperiment } from './options.ts';
import { describeReport, isGood } from './report.ts';
import { type ExperimentScenario, type ExperimentSpec, judge } from './scenario.ts';
import { openSubject } from './subject.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

const help = `npm run fleet -- [options]      a whole deployment over virtual devices, and what came of it

${describeOptions()}

  --scenario NAME          ${listScenarios().join(', ')}, or a file;
                           other options go before the scenario's
  --compare                fixed chunk and adaptive, restart and resume, all at once and waves: one run each, and the ratios
  --report FILE            everything that was measured, as JSON
  --url URL                a running Flota; its API token in FLOTA_API_TOKEN. Without it a local one is started
  --mqtt-url URL           its broker, mqtts://host:port
  --trust FILE             PEM of the roots that broker and firmware servers are verified against
  --signing-keys FILE      JWKS of its firmware signing keys, or PEM of the key that npm start has made
  --help

Ctrl-C stops the run, cleans up and still writes the report. Status 0: every device (or the scenario) did what was expected.
`;

function readFile(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new OptionError(`--${option}: cannot read ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}

function writeReport(path: string, report: unknown): void {
  try {
    writeFileSync(path, `${JSON.stringify(report, null, 2)}\n`);
  } catch (error) {
    throw new OptionError(`--report: cannot write ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}

async function readKeys(path: string): Promise<{ keys: object[] }> {
  const text = readFile('signing-keys', path);
  try {
    if (text.includes('PRIVATE KEY')) return (await openKey(text)).publicKeys;
    const parsed = JSON.parse(text) as { keys: object[] };
    if (!Array.isArray(parsed.keys)) throw new Error('no keys');
    return parsed;
  } catch {
    throw new OptionError(
      `--signing-keys: ${path} is neither a JWKS {"keys": [...]} nor the PEM of a P-256 key`,
    );
  }
}

async function openSystem(
  options: FleetOptions,
  spec: ExperimentSpec | null,
): Promise<Subject & { close(): Promise<void> }> {
  const { certificates, devices } = toExperiment({ ...spec?.options, ...options.experiment });
  if (!options.remote) return openSubject({ certificateMs: certificates, devices });
  if (certificates !== null) throw new OptionError('--certificates goes with a local Flota only');
  if (spec?.disturbances?.some((it) => it.strike !== 'power'))
    throw new OptionError(`--scenario: this one breaks parts of Flota, so it does not go with --url`);
  const { url, mqttUrl, trust: file, signingKeys } = options.remote;
  const apiToken = process.env.FLOTA_API_TOKEN;
  if (!apiToken) throw new OptionError('--url needs an API token in FLOTA_API_TOKEN');
  const publicKeys = await readKeys(signingKeys);
  const trust = readFile('trust', file);
  if (!trust.includes('-----BEGIN CERTIFICATE-----'))
    throw new OptionError(`--trust: ${file} holds no PEM certificate`);
  const rest = createRest(url, apiToken);
  const parts = { broker: null, store: null, close: async () => {} };
  return { url, apiToken, rest, mqttUrl, trust, signing: { publicKeys }, ...parts };
}

/** Only an experiment has options that go before its own. */
async function loadSpec(name: string): Promise<ExperimentSpec> {
  const { spec, kind } = (await loadScenario(name)) as ExperimentScenario;
  if (kind !== 'experiment' || !spec?.options)
    throw new OptionError(`--scenario: ${name} is no experiment; try npm run lab -- ${name}`);
  return spec;
}

async function run(options: FleetOptions): Promise<number> {
  const signal = interruption();
  const scenario = options.scenario === null ? null : await loadSpec(options.scenario);
  if (options.report !== null) writeReport(options.report, { state: 'running' });
  const name = options.scenario ?? (options.compare ? 'compare' : 'fleet');
  const display = createDisplay(process.stdout, name);
  if (!options.remote) display.phase('starting a local Flota');
  const system = await openSystem(options, scenario);
  try {
    if (options.compare) {
      const comparison = await compareStrategies({
        options: options.experiment,
        system,
        signal,
        createDisplay: (title) => createDisplay(process.stdout, title),
      });
      if (options.report !== null) writeReport(options.report, comparison);
      process.stdout.write(`${comparison.text}\n`);
      return signal.aborted ? 130 : comparison.good ? 0 : 1;
    }
    const report = await runExperiment({
      name,
      about: scenario?.about,
      options: { ...scenario?.options, ...options.experiment },
      disturbances: scenario?.disturbances,
      system,
      display,
      signal,
    });
    if (scenario) report.verdicts = judge(scenario.expect, report.figures, report.state);
    if (options.report !== null) writeReport(options.report, report);
    process.stdout.write(`${describeReport(report)}\n`);
    return signal.aborted ? 130 : isGood(report) ? 0 : 1;
  } finally {
    await system.close();
  }
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(help);
  else process.exitCode = await run(options);
} catch (error) {
  process.stderr.write(`fleet: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
// Whatever a library has left open must not keep a finished run alive.
process.exit();
