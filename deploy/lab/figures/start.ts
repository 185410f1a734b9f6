/** `npm start -- --exit`: processor time of all it takes, from npm to the last process, until the demo deployment has succeeded. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { anyPorts } from '../../local/config.ts';
import type { Figure, Figures } from './figures.ts';
import { tell } from './webhook-copy.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const aimsS = { cold: 10, warm: 4 };
const limitMs = 600_000;

export async function measureStart(): Promise<Figures> {
  const dir = mkdtempSync(join(tmpdir(), 'flota-start-'));
  const start = (what: string, data: string): number => {
    const seconds = run(join(dir, data));
    tell(`${what}: ${seconds} s`);
    return seconds;
  };
  try {
    // As after `npm ci`: nothing that an earlier start has made.
    rmSync(join(root, 'node_modules/.cache/flota'), { recursive: true, force: true });
    const cold = start('the first start', 'first');
    const fresh = start('a new data directory', 'second');
    const warm = start('the same again', 'second');
    return {
      'start.cold': figure(cold, 'the first start after npm ci, which makes the database', aimsS.cold),
      'start.new_data': figure(fresh, 'a new data directory, an empty database kept', aimsS.cold),
      'start.warm': figure(warm, 'the same data directory again', aimsS.warm),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function figure(seconds: number, what: string, aimS: number): Figure {
  return {
    value: seconds,
    unit: `s of processor time until the demo deployment has succeeded: ${what}; baseline: the aim`,
    baseline: aimS,
    ratio: Number((aimS / seconds).toFixed(2)),
    aim: 1,
  };
}

/** Seconds. */
function run(dataDir: string): number {
  const { stdout, stderr, error } = spawnSync('sh', ['-c', 'npm start -- --exit >&2 || exit 1; times'], {
    cwd: root,
    encoding: 'utf8',
    timeout: limitMs,
    env: { ...process.env, ...anyPorts, FLOTA_DATA: dataDir },
  });
  // The second line is of the children: user and system, `1m2.345s`.
  const spent = [...(stdout.split('\n')[1] ?? '').matchAll(/(\d+)m([\d.]+)s/g)];
  if (error || spent.length !== 2)
    throw new Error(`npm start failed: ${error?.message ?? stderr.slice(-500)}`);
  return Number(spent.reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0).toFixed(1));
}
