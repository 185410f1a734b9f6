/** `status`: the counts of rules and actions; loud when something is being lost. */
import { findDefaultPassword } from '../default-password.ts';
import type { Command, Online } from './command.ts';
import { isEnabled, type Reading, readCounts } from './counts.ts';
import type { Live } from './live.ts';
import { table } from './output.ts';
import { titleOf } from './plan.ts';

type Counts = Record<string, number>;

export const status: Command = {
  summary:
    'counts of each rule and action over all nodes; exit 1 when something is being lost or the dashboard is open',
  help: `Each count is the sum over the nodes, and a loss names those on which it happened. Lost is what a rule failed on (failed.exception) or had no action for, and what an action failed, dropped or heard of too
late (late_reply). What the webhook refuses and keeps as a dead letter is no loss: it counts as a success. The counts are EMQX's, since its start or the last reset: deal with a loss, then \`status --reset\`. It also tries the
dashboard's passwords that everybody knows (two failed logins of admin each time).`,
  options: { reset: { type: 'boolean', about: 'set all counts to zero after showing them' } },
  needs: 'broker',
  async run(given) {
    const { broker, say, paint, flags, settings } = given;
    for (const { name, version, running } of broker.nodes)
      say(`${name}: EMQX ${version ?? '?'}, ${running ? 'running' : paint('red', 'not running')}`);
    say();
    const live = await broker.read();
    const readings = await readCounts(broker, live);
    const rules = [['RULE', 'STATE', 'MATCHED', 'PASSED', 'NO ROW', 'EXCEPTION', 'NO ACTION']];
    const actions = [
      [
        'ACTION',
        'STATE',
        'MATCHED',
        'SUCCESS',
        'RETRIED',
        'FAILED',
        'EXPIRED',
        'QUEUE FULL',
        'OTHER DROPS',
        'LATE',
        'QUEUED',
        'INFLIGHT',
      ],
    ];
    for (const { live: one, counts: of } of readings) {
      const { kind, id, status: state } = one;
      if (kind === 'connector') {
        if (state !== 'connected') say(paint('yellow', `connector ${id} is ${state}${where(one)}`));
        continue;
      }
      const on = isEnabled(one) ? (state ?? 'enabled') : 'disabled';
      if (kind === 'rule') {
        const noAction = (of['actions.failed.out_of_service'] ?? 0) + (of['actions.discarded'] ?? 0);
        rules.push([
          id,
          on,
          ...texts(of, 'matched', 'passed', 'failed.no_result', 'failed.exception'),
          String(noAction),
        ]);
      } else {
        const { dropped = 0, 'dropped.expired': expired = 0, 'dropped.queue_full': full = 0 } = of;
        actions.push([
          ...[
            id,
            on,
            ...texts(of, 'matched', 'success', 'retried', 'failed', 'dropped.expired', 'dropped.queue_full'),
          ],
          ...[String(dropped - expired - full), ...texts(of, 'late_reply', 'queuing', 'inflight')],
        ]);
      }
    }
    for (const line of [...table(rules), '', ...table(actions)]) say(line);
    if (flags.reset) await reset(given, live);
    say();
    const several = broker.nodes.length > 1;
    const lost = readings.filter((one) => one.lost.length > 0);
    const silent = silentNodes(broker, readings);
    if (silent.length > 0)
      say(paint('red', `${silent.join(', ')} did not tell its counts: what follows is of the others.`));
    if (lost.length === 0) say(paint('green', 'Nothing was lost.'));
    for (const { live: one, lost: why, lostOn } of lost) {
      const what = why.map((each) => `${each.count} ${each.why}`).join(', ');
      say(paint('red', `LOST by ${titleOf(one)}: ${what}${several ? ` on ${lostOn.join(', ')}` : ''}`));
    }
    const password = await findDefaultPassword(settings.api);
    if (password)
      say(
        paint(
          'red',
          `OPEN: the dashboard takes admin / ${password}, whose token may publish to every device: emqx ctl admins passwd admin NEW`,
        ),
      );
    return lost.length > 0 || silent.length > 0 || password ? 1 : 0;
  },
};

/** EMQX leaves out of its sums, without a word, a node that did not answer it in time. */
function silentNodes({ nodes }: Online['broker'], readings: Reading[]): string[] {
  const counted = readings.filter(({ live }) => live.kind !== 'connector');
  return nodes
    .filter(({ name, running }) => running && counted.some(({ told }) => !told.includes(name)))
    .map(({ name }) => name);
}

/** Where a connector is not connected, when that is not everywhere. */
function where({ nodeStatus = [] }: Live): string {
  const away = nodeStatus.filter(({ status: state }) => state !== 'connected');
  if (away.length === 0 || away.length === nodeStatus.length) return '';
  return `: ${away.map(({ node, status: state }) => `${state} on ${node}`).join(', ')}`;
}

function texts(of: Counts, ...names: string[]): string[] {
  return names.map((name) => String(of[name] ?? 0));
}

async function reset(
  { broker, say }: Online,
  live: Awaited<ReturnType<Online['broker']['read']>>,
): Promise<void> {
  for (const { kind, id } of live) if (kind !== 'connector') await broker.reset(kind, id);
  say('The counts are at zero again.');
}
