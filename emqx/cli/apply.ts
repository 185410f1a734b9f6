/** `apply`: makes the broker have what the files say. */
import { isSecret, isSettings, masked } from '../schema.ts';
import type { Command, Online } from './command.ts';
import { type Change, type Comparison, compare, toRequest } from './difference.ts';
import { CliError } from './output.ts';
import { titleOf } from './plan.ts';

/** Selected by nothing: not even # takes a topic that begins with $. So a statement is parsed and never runs. */
const nowhere = { event_type: 'message_publish', topic: '$flota/nowhere', payload: '{}' };

export const apply: Command = {
  summary: 'makes the broker have what the files say',
  help: `First everything is checked, the SQL also by the broker; then connectors, actions and rules are made or changed in
that order, and what apply once made and no file has any more is removed in the reverse order. What apply makes ends its
description with [flota:<id>]; what lacks that (made in the dashboard) is never removed. If a step fails, it is said what was
done; another apply does the rest. WEBHOOK_TOKEN is needed when the connector \`webhook\` has to be made.`,
  options: {
    secrets: {
      type: 'boolean',
      about: 'also write secret headers again, whose change cannot be seen (a new WEBHOOK_TOKEN)',
    },
  },
  needs: 'broker',
  async run(given) {
    const { broker, settings, dir, say, flags } = given;
    const compared = compare(dir, await broker.read(), settings);
    if (flags.secrets) addSecrets(compared);
    const changes = compared.changes.filter(({ does }) => does !== 'foreign');
    const requests = new Map(
      changes.filter(({ wanted }) => wanted).map((change) => [change, toRequest(change, settings)]),
    );
    for (const change of changes) await checkSql(change, given);
    for (const [i, change] of changes.entries()) {
      try {
        if (change.does === 'create') await broker.create(change.kind, change.id, requests.get(change)!);
        else if (change.does === 'update') await broker.update(change.kind, change.id, requests.get(change)!);
        else await broker.remove(change.kind, change.id);
      } catch (error) {
        const names = (part: Change[]) =>
          part.map((one) => `${one.does} ${titleOf(one)}`).join(', ') || 'nothing';
        throw new CliError(
          `${change.does} ${titleOf(change)} failed: ${error instanceof Error ? error.message : error}\n` +
            `  done: ${names(changes.slice(0, i))}\n  not done: ${names(changes.slice(i))}\n  apply again to finish`,
          { cause: error },
        );
      }
      say(`${change.does}d ${titleOf(change)}`);
    }
    if (changes.length === 0) say(`Nothing to do: ${broker.url} is as the files say.`);
    for (const one of compared.changes.filter(({ does }) => does === 'foreign'))
      say(`left alone: ${titleOf(one)}, which apply did not make (\`pull\` writes it into a file)`);
    for (const { kind, id, status } of changes.length > 0 ? await broker.read() : [])
      if (kind === 'connector' && status !== undefined && status !== 'connected')
        say(`beware: connector ${id} is ${status}; rows wait in its actions' buffers`);
    return 0;
  },
};

async function checkSql({ kind, id, wanted, source }: Change, { broker }: Online): Promise<void> {
  if (kind !== 'rule' || !wanted) return;
  const tested = await broker.test(String(wanted.sql), nowhere);
  if (!('error' in tested)) return;
  const { file, line } = (source!.node.entries.get('sql') ?? source!.node).span;
  throw new CliError(
    `${file}:${line}: the broker refuses the SQL of rule ${id}, nothing was applied: ${tested.error}`,
  );
}

/** Connectors that are equal as far as can be seen, but have a secret to write. */
function addSecrets({ changes, unchanged }: Comparison): void {
  const secret = ({ kind, wanted }: Change) =>
    kind === 'connector' &&
    isSettings(wanted?.headers) &&
    Object.entries(wanted.headers).some(([name, value]) => isSecret(name) && value !== masked);
  changes.unshift(...unchanged.filter(secret));
}
