/** `npm run conformance`: does a device, however it is built, keep to the protocol under every fault we know? */
import '#deploy/lab/primitives/closed-pipe.ts';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { readHelp } from './device.ts';
import { groups, type Outcome, runSuite } from './suite.ts';

const help = `Usage: npm run conformance -- --device "<command>" [options]

  --device COMMAND   the device: a program that takes the options of "npm run device" (id, dir, mqtt-url, trust, signing-keys,
                     hardware, enroll-url, token, timing, limits, no-fsync, log); with --kill-at-write it is cut at every write,
                     with --hold-install and --hold-reboot its application puts updates off
  --lossy LIBRARY    firmware/build/lossy.so, for a device on POSIX that takes it: also the cases about storage that forgets what
                     was not synced
  --short            the selection that runs with every test
  --only TEXT        only cases whose group or name holds this text
  --report FILE      also write the outcome as JSON
  --list             print the cases and run none
  --help

  npm run conformance -- --device "npx tsx firmware/virtual/main.ts"
  make -C firmware host build/lossy.so && npm run conformance -- --device firmware/build/flota-device --lossy firmware/build/lossy.so

It ends with 0 when every case holds.
`;

function show({ ok, group, name, ms, problem }: Outcome): void {
  const seconds = `${(ms / 1000).toFixed(1)} s`;
  process.stdout.write(`${ok ? 'ok  ' : 'FAIL'}  ${group.padEnd(11)} ${seconds.padStart(7)}  ${name}\n`);
  if (problem) process.stdout.write(`      ${problem.split('\n').join('\n      ')}\n`);
}

async function run(): Promise<number> {
  const { values } = parseArgs({
    options: {
      device: { type: 'string' },
      short: { type: 'boolean', default: false },
      lossy: { type: 'string' },
      only: { type: 'string' },
      report: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  if (values.list) {
    for (const [group, cases] of Object.entries(groups))
      for (const { name, short } of cases)
        process.stdout.write(`${short ? 'short' : '     '}  ${group.padEnd(11)}  ${name}\n`);
    return 0;
  }
  if (!values.device) throw new Error('--device is needed; see --help');
  const { device, short, lossy, only, report } = values;
  const startedAt = new Date();
  const outcomes = await runSuite({ command: device, short, lossy, ...(only && { only }), onOutcome: show });
  const failed = outcomes.filter(({ ok }) => !ok).length;
  if (report) {
    const text = {
      device,
      startedAt,
      endedAt: new Date(),
      passed: outcomes.length - failed,
      failed,
      outcomes,
    };
    writeFileSync(report, `${JSON.stringify(text, null, 2)}\n`);
  }
  if (!(await readHelp(device)).includes('--hold-install'))
    process.stdout.write(
      'the device has no --hold-install: the cases about an application that puts it off are left out\n',
    );
  if (!lossy) process.stdout.write('without --lossy, the cases about storage that forgets are left out\n');
  process.stdout.write(`${outcomes.length - failed} of ${outcomes.length} cases hold\n`);
  if (outcomes.length === 0) throw new Error('no case has that in its name');
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await run();
} catch (error) {
  process.stderr.write(`conformance: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
