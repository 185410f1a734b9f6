/** `flota watch`: a deployment as it goes on, until nothing more will happen by itself. */
import { parseDuration } from '#deploy/lab/fleet/units.ts';
import { createProgress } from '#deploy/local/progress.ts';
import { isOpen, targetStates } from '#webhook/deployments/states.ts';
import { type Flota, insist, type Schemas } from './client.ts';
import type { Command, Input, Option } from './command.ts';
import { CliError, type Exit, exits } from './errors.ts';
import { openHints } from './live.ts';
import type { Output } from './output.ts';
import { readPages } from './pages.ts';

type Deployment = Schemas['Deployment'];

/** Between two looks, where no hint comes and where many come. */
const [restMs, pauseMs] = [3_000, 250];
/** A server that is away for so long (a restart, an upgrade) does not end it. */
const awayMaxMs = 120_000;
const targetsShown = 100;

export const timeoutOption: Option = {
  hint: 'TIME',
  help: 'stop watching after this, with 1: 30min, 24h at most',
};

function readTimeout(input: Input): number | undefined {
  return input.parsed('timeout', parseDuration);
}

/** Of a command that starts a deployment: how it goes on with what was made, as `--watch` and `--timeout` say. */
export function readFollow(
  input: Input,
): (flota: Flota, id: string, made: object, said: string) => Promise<Exit> {
  const timeoutMs = readTimeout(input);
  const watches = input.has('watch');
  if (timeoutMs !== undefined && !watches) throw CliError.of('usage', '--timeout goes with --watch');
  return async (flota, id, made, said) => {
    if (!watches || !input.out.json) input.out.show(made, said);
    return watches ? watchDeployment(flota, id, input.out, timeoutMs) : exits.succeeded;
  };
}

export const watch: Command = {
  name: 'watch',
  operands: ['DEPLOYMENT'],
  summary: 'follow a deployment until it has ended; Ctrl-C leaves it alone',
  options: { timeout: timeoutOption },
  examples: [
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1',
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1 --timeout 30min --json',
  ],
  run: (input) => watchDeployment(input.flota(), input.operands[0]!, input.out, readTimeout(input)),
};

export async function watchDeployment(
  flota: Flota,
  id: string,
  out: Output,
  timeoutMs?: number,
): Promise<Exit> {
  const { stdout, stderr } = out.terminal;
  const hints = openHints(flota, { kind: 'deployment', id });
  let isInterrupted = false;
  const interrupt = () => {
    isInterrupted = true;
    hints.close();
  };
  process.once('SIGINT', interrupt);
  const endsAt = Date.now() + (timeoutMs ?? Number.POSITIVE_INFINITY);
  const draw = out.json ? null : createProgress(stdout);
  const tell = createTeller(out);
  let heardAt: number | null = null;
  try {
    while (!isInterrupted) {
      const seen = await look(flota, id, draw !== null).catch((error: unknown) => {
        const isAway = error instanceof CliError && error.exit === exits.unreachable;
        if (!isAway || heardAt === null || Date.now() - heardAt > awayMaxMs) throw error;
        return null;
      });
      if (seen) {
        heardAt = Date.now();
        draw?.(seen.targets);
        tell(seen.deployment);
        const ended = await judge(flota, seen.deployment, out);
        if (ended !== null) return ended;
      }
      if (Date.now() >= endsAt) {
        out.note(`Not ended in time; it goes on. flota watch ${id}`);
        return exits.failed;
      }
      await hints.next(Math.max(0, Math.min(restMs, endsAt - Date.now())));
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  } finally {
    process.removeListener('SIGINT', interrupt);
    hints.close();
  }
  // Who has closed our output has not pressed Ctrl-C.
  if (stdout.errored || stderr.errored) return exits.succeeded;
  out.note(`\nIt goes on. flota watch ${id} follows it again; flota cancel ${id} stops it.`);
  return exits.interrupted;
}

async function look(flota: Flota, id: string, withTargets: boolean) {
  const path = { id };
  const deployment = await insist(flota.GET('/api/deployments/{id}', { params: { path } }));
  const query = { limit: targetsShown };
  const { items } = withTargets
    ? await insist(flota.GET('/api/deployments/{id}/targets', { params: { path, query } }))
    : { items: [] };
  return { deployment, targets: items };
}

/** The counts, whenever they have changed: as JSON, or as a line where there are no bars that move. */
function createTeller(out: Output): (deployment: Deployment) => void {
  let last = '';
  return (deployment) => {
    const line = summarize(deployment);
    if (line === last) return;
    last = line;
    if (out.json || !out.terminal.stdout.isTTY) out.show(deployment, line);
  };
}

export function summarize({ state, total, counts }: Deployment): string {
  const some = targetStates
    .filter((of) => counts[of])
    .map((of) => `${counts[of]} ${of.replaceAll('_', ' ')}`);
  return `${state}: ${total} devices${some.length ? `, ${some.join(', ')}` : ''}`;
}

/** Null while it goes on by itself. One that is halted or waits for approval waits for somebody, and a script is nobody. */
async function judge(flota: Flota, deployment: Deployment, out: Output): Promise<Exit | null> {
  const { id, state, counts, halted, total } = deployment;
  const open = targetStates.filter(isOpen).reduce((sum, of) => sum + (counts[of] ?? 0), 0);
  if (state === 'waiting_for_approval') {
    out.note(
      `Waiting for approval by somebody else: ${flota.url}/deployments/${id}\n  Once it is approved: flota watch ${id}`,
    );
    return exits.waiting;
  }
  if (state === 'halted') {
    out.note(
      `Halted: ${halted?.message ?? ''}\n  Decide in the console, ${flota.url}/deployments/${id}, or stop it: flota cancel ${id}`,
    );
    return exits.failed;
  }
  if ((state !== 'completed' && state !== 'cancelled') || open > 0) return null;
  const upToDate = (counts.skipped ?? 0) > 0 ? await countUpToDate(flota, id) : 0;
  const running = (counts.succeeded ?? 0) + upToDate;
  const isWhole = state === 'completed' && total > 0 && running === total;
  out.note(`${summarize(deployment)}${isWhole ? '' : `\n  See why: ${flota.url}/deployments/${id}`}`);
  return isWhole ? exits.succeeded : exits.failed;
}

/** Those that were skipped because they ran it before. */
async function countUpToDate(flota: Flota, id: string): Promise<number> {
  const skipped = await readPages(Number.POSITIVE_INFINITY, (page) =>
    insist(
      flota.GET('/api/deployments/{id}/targets', {
        params: { path: { id }, query: { ...page, state: 'skipped' } },
      }),
    ),
  );
  return skipped.filter(({ error }) => error?.code === 'up_to_date').length;
}
