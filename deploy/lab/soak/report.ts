/** What a soak shows while it runs, and what it says in the end. */
import type { Growth } from './memory.ts';

export interface SoakReport {
  seed: number;
  /** How often each fault was struck. */
  faults: Record<string, number>;
  deployments: number;
  messages: number;
  growth: Growth[];
  problems: string[];
}

export interface Progress {
  elapsedMs: number;
  online: number;
  deployments: number;
  sent: number;
  waiting: number;
  fault: string | null;
}

const out = process.stdout;

/** One line that moves on a terminal; elsewhere a line every half minute. Returns the way to end it. */
export function showProgress(read: () => Progress): () => void {
  const clear = out.isTTY ? '\r\x1b[2K' : '';
  let last = 0;
  const timer = setInterval(() => {
    const { elapsedMs, online, deployments, sent, waiting, fault } = read();
    const seconds = Math.floor(elapsedMs / 1000);
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    const text = `${clock}  ${online} online, ${deployments} deployments, ${sent} messages (${waiting} not acked)${fault ? `, ${fault}` : ''}`;
    if (out.isTTY) out.write(`${clear}${text}`);
    else if (elapsedMs - last >= 30_000) {
      last = elapsedMs;
      out.write(`${text}\n`);
    }
  }, 1_000);
  return () => {
    clearInterval(timer);
    out.write(clear);
  };
}

export function describeSoak(report: SoakReport, stopped: boolean): string {
  const { problems, faults, growth, deployments, messages, seed } = report;
  const mb = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
  const found = stopped
    ? `so far every message that was acked is stored; memory ${growth.length ? 'is flat' : 'was watched too briefly'}; what is under way was not judged`
    : 'every message is stored once, nothing is stuck, memory is flat';
  return [
    `seed         ${seed}`,
    `faults       ${Object.entries(faults)
      .map(([name, n]) => `${name} ${n}`)
      .join(', ')}`,
    `messages     ${messages} sent`,
    `deployments  ${deployments}`,
    ...growth.map(
      (g) => `memory       ${g.name}: ${mb(g.middleBytes)} → ${mb(g.endBytes)} over ${g.lifeSeconds} s`,
    ),
    ...(problems.length ? problems.map((problem) => `PROBLEM      ${problem}`) : [found]),
  ].join('\n');
}
