/** Processor time of several processes and all below them, by Linux's /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Of `times(2)`, on every Linux. */
const ticksPerSecond = 100;

/** Those without a number are left out. */
export function watchProcesses<Name extends string>(
  pids: Record<Name, number | undefined>,
): { usEach(units: number): Record<Name, number> } {
  const before = read(pids);
  return {
    usEach(units) {
      const after = read(pids);
      return Object.fromEntries(
        Object.entries<number>(after).map(([name, us]) => [
          name,
          Math.round((us - before[name as Name]) / units),
        ]),
      ) as Record<Name, number>;
    },
  };
}

/** µs since each began. What a child has spent that is gone meanwhile is its parent's. */
function read<Name extends string>(pids: Record<Name, number | undefined>): Record<Name, number> {
  const children = new Map<number, number[]>();
  const spent = new Map<number, number>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    let stat: string;
    try {
      stat = readFileSync(`/proc/${entry}/stat`, 'utf8');
    } catch {
      continue;
    }
    // The name in parentheses may have anything in it; the state follows, then the parent.
    const fields = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [parent, ticks] = [fields[1]!, fields.slice(11, 15).reduce((sum, n) => sum + n, 0)];
    spent.set(Number(entry), (ticks * 1_000_000) / ticksPerSecond);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const total = (pid: number): number =>
    (spent.get(pid) ?? 0) + (children.get(pid) ?? []).reduce((sum, child) => sum + total(child), 0);
  const entries = Object.entries<number | undefined>(pids).filter(([, pid]) => pid !== undefined);
  return Object.fromEntries(entries.map(([name, pid]) => [name, total(pid!)])) as Record<Name, number>;
}
