/** `npm run experiments`: every scenario on a Flota of its own, the strategies compared, and one page that shows it all. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Comparison, compareStrategies } from '#firmware/virtual/fleet/comparison.ts';
import { createDisplay } from '#firmware/virtual/fleet/display.ts';
import { runExperiment } from '#firmware/virtual/fleet/experiment.ts';
import { toExperiment } from '#firmware/virtual/fleet/options.ts';
import { renderPage } from '#firmware/virtual/fleet/page.ts';
import { describeReport, isGood, type Report } from '#firmware/virtual/fleet/report.ts';
import { judge, listScenarios, loadScenario } from '#firmware/virtual/fleet/scenario.ts';
import { interruption } from '../interruption.ts';
import { startLocalSystem } from './local-system.ts';

const help = `npm run experiments [-- options] [SCENARIO …]      every scenario (${listScenarios().join(', ')}) or those named

  --out FILE        the page (report.html)
  --no-compare      leave out the comparison of strategies
  --help

Status 0: everything was as expected. Ctrl-C still writes the page, with what there is.
`;

async function run(names: string[], out: string, compare: boolean): Promise<number> {
  const signal = interruption();
  const scenarios = await Promise.all(
    names.map(async (name) => ({ name, scenario: await loadScenario(name) })),
  );
  const reports: Report[] = [];
  let comparison: Comparison | null = null;
  const write = () => writeFileSync(out, renderPage(reports, comparison));
  write();
  for (const { name, scenario } of scenarios) {
    if (signal.aborted) break;
    const { about, options, disturbances } = scenario;
    const system = await startLocalSystem({ certificateMs: toExperiment(options).certificates });
    try {
      const display = createDisplay(process.stdout, name);
      const report = await runExperiment({ name, about, options, disturbances, system, display, signal });
      report.verdicts = judge(scenario.expect, report.figures, report.state);
      reports.push(report);
      process.stdout.write(`${describeReport(report)}\n`);
    } finally {
      await system.close();
    }
    write();
  }
  if (compare && !signal.aborted) {
    const system = await startLocalSystem();
    try {
      comparison = await compareStrategies({
        options: {},
        system,
        signal,
        createDisplay: (title) => createDisplay(process.stdout, title),
      });
      process.stdout.write(`${comparison.text}\n`);
    } finally {
      await system.close();
    }
  }
  write();
  process.stdout.write(`${reports.filter(isGood).length} of ${scenarios.length} as expected; see ${out}\n`);
  if (signal.aborted) return 130;
  return reports.every(isGood) && (comparison?.good ?? true) ? 0 : 1;
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      out: { type: 'string', default: 'report.html' },
      'no-compare': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) process.stdout.write(help);
  else {
    const names = positionals.length > 0 ? positionals : listScenarios();
    process.exitCode = await run(names, values.out, !values['no-compare']);
  }
} catch (error) {
  process.stderr.write(`experiments: ${(error as Error).message.split('\n')[0]}\n`);
  process.exitCode = 1;
}
process.exit();
