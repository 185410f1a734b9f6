/** Resident memory over the longest life of each part. */
import type { Part } from '../system/part.ts';

interface Sample {
  at: number;
  bytes: number;
}
export interface Growth {
  name: string;
  lifeSeconds: number;
  /** Medians of the third fifth and of the last fifth of the longest life. */
  middleBytes: number;
  endBytes: number;
  flat: boolean;
}

/** What a heap may grow by between two collections, and what is noise in a small one. */
const allowedRatio = 1.25;
const allowedBytes = 24 * 1024 * 1024;
/** Before that a process is still warming up. */
const shortestLifeMs = 60_000;

export function createMemoryWatch(parts: Part[], periodMs = 1_000, lifeMs = shortestLifeMs) {
  const lives = new Map<string, Sample[][]>();
  const pids = new Map<string, number | undefined>();
  const look = () => {
    for (const part of parts) {
      const alive = part.process?.();
      const own = lives.get(part.name) ?? [];
      lives.set(part.name, own);
      if (!alive) continue;
      if (pids.get(part.name) !== alive.pid) own.push([]);
      pids.set(part.name, alive.pid);
      own.at(-1)!.push({ at: Date.now(), bytes: alive.rssBytes() });
    }
  };
  const timer = setInterval(look, periodMs);
  return {
    stop(): Growth[] {
      clearInterval(timer);
      return [...lives].flatMap(([name, own]) => {
        const life = own.reduce((longest, one) => (lengthOf(one) > lengthOf(longest) ? one : longest), []);
        return lengthOf(life) < lifeMs ? [] : [measure(name, life)];
      });
    },
  };
}

function lengthOf(life: Sample[]): number {
  return life.length ? life.at(-1)!.at - life[0]!.at : 0;
}

function measure(name: string, life: Sample[]): Growth {
  const part = (from: number, to: number) =>
    median(
      life.slice(Math.floor(life.length * from), Math.ceil(life.length * to)).map((sample) => sample.bytes),
    );
  const [middleBytes, endBytes] = [part(0.4, 0.6), part(0.8, 1)];
  const flat = endBytes <= middleBytes * allowedRatio || endBytes - middleBytes <= allowedBytes;
  return { name, lifeSeconds: Math.round(lengthOf(life) / 1000), middleBytes, endBytes, flat };
}

function median(numbers: number[]): number {
  return numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}

export function memoryProblems(growth: Growth[]): string[] {
  const mb = (bytes: number) => Math.round(bytes / 1024 / 1024);
  return growth
    .filter((one) => !one.flat)
    .map(
      (one) =>
        `${one.name} grew from ${mb(one.middleBytes)} to ${mb(one.endBytes)} MiB within ${one.lifeSeconds} s`,
    );
}
