/** `plan`: what differs between the files and the broker, and what that means for the webhook. */
import type { HoconValue } from '../hocon.ts';
import type { Command } from './command.ts';
import { type Change, compare, type Difference } from './difference.ts';
import { compareNodes, type Disagreement } from './node-difference.ts';
import { lineDiff, type Paint, type Say } from './output.ts';
import { type Meaning, meaningsOf } from './replay.ts';

const shownPerRule = 5;

export const plan: Command = {
  summary: 'what differs between the files and the broker, and what that means; exit 2 when they differ',
  help: `The connector \`webhook\` is compared with WEBHOOK_URL; without that its address stays as it is. Secret headers read back
as ****** and count as unchanged. Rules that change are tried on the broker (POST /rule_test) with the samples of their file; what
differs in the requests to the webhook is shown. Columns of an event that rule_test
does not take (client_attrs, for one) read "undefined" there, before as after. Of a cluster, each node's own configuration is compared with the
others': after a partition one may have what another lacks.`,
  needs: 'broker',
  async run({ broker, settings, dir, say, paint }) {
    const compared = compare(dir, await broker.read(), settings);
    const { changes } = compared;
    const disagreements = await compareNodes(broker);
    for (const one of disagreements) showDisagreement(one, say, paint);
    if (disagreements.length > 0)
      say(
        'The nodes disagree, and each acts by what it has: `emqx ctl conf cluster_sync status` on one of them says which is behind, and ' +
          '`emqx ctl conf cluster_sync fix` brings it in line. What follows is of the node that answered.',
      );
    if (changes.length === 0) {
      say(`No difference: ${broker.url} is as the files say.`);
      return disagreements.length > 0 ? 2 : 0;
    }
    for (const change of changes) showChange(change, say, paint);
    const meanings = await meaningsOf(broker, compared);
    if (meanings.length > 0) {
      say(paint('bold', 'What that means for the samples of the files:'));
      for (const meaning of meanings) showMeaning(meaning, say, paint);
    }
    const count = (does: Change['does']) => changes.filter((change) => change.does === does).length;
    const foreign = count('foreign');
    say();
    say(
      `${count('create')} to create, ${count('update')} to change, ${count('remove')} to remove` +
        `${foreign > 0 ? `; ${foreign} made elsewhere, which apply leaves alone` : ''}. \`apply\` takes the files to the broker, \`pull\` the broker's changes into the files.`,
    );
    return 2;
  },
};

function showDisagreement(one: Disagreement, say: Say, paint: Paint): void {
  if ('untold' in one) {
    say(paint('red', `! ${one.untold} does not tell what it has: ${one.why}`));
    return;
  }
  const how =
    one.without.length > 0
      ? `is on ${one.with.join(', ')} and not on ${one.without.join(', ')}`
      : `is not the same on ${one.with.join(' and ')}: ${one.settings.join(', ')}`;
  say(paint('red', `! ${titleOf(one)}  ${how}`));
}

export function titleOf({ kind, id }: { kind: string; id: string }): string {
  return `${kind} ${id}`;
}

function showChange(change: Change, say: Say, paint: Paint): void {
  const title = titleOf(change);
  if (change.does === 'create') say(paint('green', `+ ${title}  is not on the broker`));
  if (change.does === 'remove') say(paint('red', `- ${title}  is in no file any more`));
  if (change.does === 'foreign')
    say(
      paint('yellow', `? ${title}  is only on the broker, made elsewhere (\`pull\` writes it into a file)`),
    );
  if (change.does === 'update') {
    say(paint('yellow', `~ ${title}`));
    for (const difference of change.differences) showDifference(difference, say, paint);
  }
  const sql = (change.live ?? { settings: change.wanted })?.settings?.sql;
  if (change.does !== 'update' && typeof sql === 'string')
    for (const line of sql.trimEnd().split('\n')) say(paint('dim', `    ${line}`));
}

function showDifference({ path, broker, file }: Difference, say: Say, paint: Paint): void {
  const name = path.join('.');
  if (typeof broker === 'string' && typeof file === 'string' && /\n/.test(broker + file)) {
    say(`    ${name}:`);
    for (const [sign, line] of lineDiff(broker.trimEnd(), file.trimEnd()))
      say(paint(sign === '-' ? 'red' : sign === '+' ? 'green' : 'dim', `      ${sign} ${line}`));
    return;
  }
  say(`    ${name}: ${paint('red', shown(broker))} → ${paint('green', shown(file))}`);
}

function shown(value: HoconValue | undefined): string {
  return value === undefined ? '(none)' : JSON.stringify(value);
}

function showMeaning({ rule, samples, changed }: Meaning, say: Say, paint: Paint): void {
  if (changed.length === 0) {
    say(`  rule ${rule}: nothing changes for ${samples} samples`);
    return;
  }
  say(`  rule ${rule}: ${changed.length} of ${samples} samples change what the webhook gets`);
  for (const { event, old, new: fresh } of changed.slice(0, shownPerRule)) {
    say(`    ${event}`);
    for (const line of old.filter((one) => !fresh.includes(one))) say(paint('red', `      - ${line}`));
    for (const line of fresh.filter((one) => !old.includes(one))) say(paint('green', `      + ${line}`));
    if (old.length > 0 && fresh.length === 0) say('      nothing is sent any more');
  }
  if (changed.length > shownPerRule) say(`    … and ${changed.length - shownPerRule} more`);
}
