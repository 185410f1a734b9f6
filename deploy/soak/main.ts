/** `npm run soak`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interruption } from '../interruption.ts';
import { help, readOptions, type SoakOptions } from './config.ts';
import { findNginx } from './proxy.ts';
import { type Progress, type Report, soak } from './soak.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
const out = process.stdout;

async function run(options: SoakOptions): Promise<number> {
  if (!findNginx()) throw new Error('nginx is needed (Debian: nginx-light)');
  const interrupted = interruption();
  const dir = mkdtempSync(join(tmpdir(), 'flota-soak-'));
  out.write(
    `soak: ${options.minutes} minutes, ${options.devices} devices, ${options.talkers} talkers, seed ${options.seed}\n`,
  );
  try {
    const show = createDisplay();
    const report = await soak(options, dir, interrupted, show.say, show.progress);
    const stopped = interrupted.aborted;
    out.write(`${toText(report, stopped)}\n`);
    if (stopped) out.write('stopped; everything is cleaned up\n');
    if (stopped) return 130;
    return report.problems.length === 0 ? 0 : 1;
  } catch (error) {
    if (!interrupted.aborted) throw error;
    out.write('stopped before it had begun; everything is cleaned up\n');
    return 130;
  } finally {
    if (options.keep) out.write(`logs: ${dir}\n`);
    else rmSync(dir, { recursive: true, force: true });
  }
}

/** One line that moves on a terminal; elsewhere a line every half minute. */
function createDisplay() {
  let last = 0;
  const clear = out.isTTY ? '\r\x1b[2K' : '';
  return {
    say: (line: string) => out.write(`${clear}  ${line}\n`),
    progress({ elapsedMs, online, deployments, sent, waiting, fault }: Progress) {
      const clock = `${Math.floor(elapsedMs / 60_000)}:${String(Math.floor(elapsedMs / 1000) % 60).padStart(2, '0')}`;
      const text = `${clock}  ${online} online, ${deployments} deployments, ${sent} messages (${waiting} not acked)${fault ? `, ${fault}` : ''}`;
      if (out.isTTY) out.write(`${clear}${text}`);
      else if (elapsedMs - last >= 30_000) {
        last = elapsedMs;
        out.write(`${text}\n`);
      }
    },
  };
}

function toText(
  { problems, faults, growth, targets, deployments, messages }: Report,
  stopped: boolean,
): string {
  const mb = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
  const list = (entries: Iterable<[string, number]>) =>
    [...entries].map(([name, n]) => `${name} ${n}`).join(', ');
  return [
    `faults       ${list(faults)}`,
    `messages     ${messages} sent`,
    `deployments  ${deployments}; targets: ${list(Object.entries(targets))}`,
    ...growth.map(
      (g) => `memory       ${g.name}: ${mb(g.middleBytes)} → ${mb(g.endBytes)} over ${g.lifeSeconds} s`,
    ),
    ...(problems.length
      ? problems.map((problem) => `PROBLEM      ${problem}`)
      : [
          stopped
            ? `so far every message that was acked is stored; memory ${growth.length ? 'is flat' : 'was watched too briefly'}; what is under way was not judged`
            : 'every message is stored once, nothing is stuck, memory is flat',
        ]),
  ].join('\n');
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') out.write(help);
  else process.exitCode = await run(options);
} catch (error) {
  process.stderr.write(`soak: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
// Whatever a library has left open must not keep a finished run alive.
process.exit();
