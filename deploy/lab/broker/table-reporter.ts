/** Prints one table when all is over: case, result, milliseconds. */
import type { Reporter, TestCase, TestModule } from 'vitest/node';

const words = { passed: 'ok', failed: 'FAILED', skipped: 'not run', pending: 'not run' };

export default class TableReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = [
      ['case', 'result', 'ms'],
      ...modules.flatMap(({ children }) => [...children.allTests()].map(row)),
    ];
    const width = Math.max(...rows.map(([name]) => name!.length));
    for (const [name, result, ms] of rows)
      console.log(`${name!.padEnd(width)}  ${result!.padEnd(7)}  ${ms!.padStart(8)}`);
  }
}

function row(test: TestCase): string[] {
  const ms = test.diagnostic()?.duration ?? 0;
  return [test.fullName.replaceAll(' > ', ': '), words[test.result().state], String(Math.round(ms))];
}
