/** `npm run lab`: scenarios by name, one after the other. */
import '#deploy/lab/primitives/closed-pipe.ts';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Comparison } from './fleet/comparison.ts';
import { createDisplay } from './fleet/display.ts';
import { OptionError } from './fleet/options.ts';
import { renderPage } from './fleet/page.ts';
import type { Report } from './fleet/report.ts';
import { parseWhole } from './fleet/units.ts';
import { interruption } from './interruption.ts';
import {
  type Kind,
  kinds,
  type Lab,
  listScenarios,
  loadScenario,
  type Outcome,
  type Scenario,
} from './scenario.ts';

const help = `npm run lab -- NAME …      runs scenarios: a fleet, what happens to it or to Flota, and what is expected

  NAME            ${listScenarios().join(', ')};
                  all of a kind (${kinds.join(', ')}), all, or a file of yours
  --list          what each of them is about
  --report FILE   what was found: a page for FILE.html, JSON for FILE.json
  --seed N        of what happens by chance
  --minutes N     how long a soak lasts (20), or each fault of an outage (1); 0.1 to 10,080
  --keep          leave the directories with the logs of all parts
  --help

Outages and the soak need a PostgreSQL server, some also nginx and libfaketime (Debian: postgresql, nginx-light, faketime).
Status 0 when everything was as expected, 1 when not, 130 after Ctrl-C, which cleans up and still writes the report.
`;
const out = process.stdout;
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';

interface Named {
  name: string;
  scenario: Scenario;
}

async function pick(names: string[]): Promise<Named[]> {
  const load = async (name: string) => ({ name, scenario: await loadScenario(name) });
  const known = await Promise.all(listScenarios().map(load));
  const picked = names.map(async (name) => {
    if (name === 'all') return known;
    if (kinds.includes(name as Kind)) return known.filter(({ scenario }) => scenario.kind === name);
    return [await load(name)];
  });
  return (await Promise.all(picked)).flat();
}

/** Pages show experiments; everything is in the JSON. */
function writeReport(path: string, found: (Named & { outcome: Outcome })[]): void {
  const experiments = found.filter(({ scenario }) => scenario.kind === 'experiment');
  const isComparison = (report: object): report is Comparison => 'ratios' in report;
  const reports = experiments.map(({ outcome }) => outcome.report);
  const page = () =>
    renderPage(
      reports.filter((report) => !isComparison(report)) as Report[],
      reports.find(isComparison) ?? null,
    );
  const json = () =>
    JSON.stringify(
      found.map(({ name, outcome }) => ({ name, good: outcome.good, ...outcome.report })),
      null,
      2,
    );
  try {
    writeFileSync(path, path.endsWith('.html') ? page() : `${json()}\n`);
  } catch (error) {
    throw new OptionError(`--report: cannot write ${path} (${(error as NodeJS.ErrnoException).code})`);
  }
}

async function run(scenarios: Named[], lab: Omit<Lab, 'name'>, report: string | null): Promise<number> {
  const found: (Named & { outcome: Outcome })[] = [];
  const write = () => report !== null && writeReport(report, found);
  write();
  for (const { name, scenario } of scenarios) {
    if (lab.signal.aborted) break;
    out.write(`${name}: ${scenario.about}\n`);
    const outcome = await scenario.run({ ...lab, name }).catch((error: Error): Outcome => {
      const text = lab.signal.aborted ? 'stopped before it had begun' : `PROBLEM ${error.message}`;
      return { good: false, text, report: { problem: error.message } };
    });
    out.write(`${outcome.text}\n`);
    found.push({ name, scenario, outcome });
    write();
  }
  const good = found.filter(({ outcome }) => outcome.good).length;
  out.write(`${good} of ${scenarios.length} as expected\n`);
  if (lab.signal.aborted) {
    out.write('stopped; everything is cleaned up\n');
    return 130;
  }
  return good === scenarios.length ? 0 : 1;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      list: { type: 'boolean', default: false },
      report: { type: 'string' },
      seed: { type: 'string' },
      minutes: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    out.write(help);
    return 0;
  }
  if (values.list) {
    for (const { name, scenario } of await pick(['all']))
      out.write(`${scenario.kind.padEnd(10)} ${name.padEnd(18)} ${scenario.title}: ${scenario.about}\n`);
    return 0;
  }
  if (positionals.length === 0) throw new OptionError('which scenario? See --list');
  const minutes = Number(values.minutes ?? 1);
  if (!(minutes >= 0.1 && minutes <= 10_080))
    throw new OptionError('--minutes: must be a number from 0.1 to 10080');
  const seed = values.seed === undefined ? null : parseWhole(0, 2 ** 31)(values.seed);
  const lab = {
    seed,
    minutes: values.minutes === undefined ? null : minutes,
    keep: values.keep,
    signal: interruption(),
    say: (line: string) => void out.write(`  ${line}\n`),
    createDisplay: (title: string) => createDisplay(out, title),
  };
  return run(await pick(positionals), lab, values.report ?? null);
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`lab: ${(error as Error).message.split('\n')[0]}\n`);
  process.exitCode = 1;
}
// Whatever a library has left open must not keep a finished run alive.
process.exit();
