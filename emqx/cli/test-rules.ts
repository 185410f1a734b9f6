/** `test`: the samples of every rule, on the broker. */
import { isDeepStrictEqual } from 'node:util';
import { encodeJson, type Row } from '../json.ts';
import { type RuleSample, readRules } from '../rules.ts';
import { parseSql, SqlError, type Statement } from '../sql.ts';
import { columnsFrom, conditionReads } from './columns.ts';
import type { Command, Online } from './command.ts';
import { toContext } from './events.ts';

export const testRules: Command = {
  summary: "runs every rule's samples on the broker (POST /rule_test); exit 1 on a mismatch",
  help: `rule_test takes only some columns of an event (no client_attrs, for one). Columns of the result that are made of
others are not compared, and are named; a sample whose WHERE needs one is not run, and said so.`,
  needs: 'broker',
  async run(given) {
    const { config, samples } = readRules(given.dir);
    const counts = { ok: 0, failed: 0, 'not run': 0 };
    for (const sample of samples) {
      const result = await runSample(sample, config.rule_engine.rules[sample.rule]!.sql, given);
      counts[result]++;
    }
    for (const id of Object.keys(config.rule_engine.rules))
      if (!samples.some(({ rule }) => rule === id)) given.say(`        ${id}: has no samples`);
    given.say(`${counts.ok} ok, ${counts.failed} failed, ${counts['not run']} not run`);
    return counts.failed > 0 ? 1 : 0;
  },
};

async function runSample(sample: RuleSample, sql: string, { broker, say, paint }: Online) {
  const title = `${sample.rule}: ${sample.name}`;
  const context = toContext(sample.given);
  const statement = readable(sql);
  if (!context || (statement ? conditionReads(statement, context.dropped) : context.dropped.length > 0)) {
    say(`${paint('yellow', 'not run')} ${title} (rule_test does not take what it needs)`);
    return 'not run';
  }
  const unseen = statement ? columnsFrom(statement, context.dropped) : new Set<string>();
  const tested = await broker.test(sql, context.fields);
  const seen = (row: object) => Object.fromEntries(Object.entries(row).filter(([name]) => !unseen.has(name)));
  const got = 'error' in tested ? null : tested.rows.map((row) => seen(asJson(row)));
  const wanted = sample.receives.map((row) => seen(asJson(row)));
  if (isDeepStrictEqual(got, wanted)) {
    say(
      `${paint('green', 'ok')}      ${title}${unseen.size > 0 && wanted.length > 0 ? paint('dim', ` (not compared: ${[...unseen].join(', ')})`) : ''}`,
    );
    return 'ok';
  }
  say(`${paint('red', 'FAILED')}  ${title}  ${sample.file}:${sample.line}`);
  say(`          wanted ${JSON.stringify(wanted)}`);
  say(`          got    ${'error' in tested ? tested.error : JSON.stringify(got)}`);
  return 'failed';
}

/** Both sides as JavaScript has them. */
function asJson(row: object): object {
  const plain = Object.values(row).some((value) => typeof value === 'bigint' || typeof value === 'undefined')
    ? encodeJson(row as Row)
    : JSON.stringify(row);
  return JSON.parse(plain);
}

/** Null for what only EMQX understands: nobody here knows what its results are made of. */
function readable(sql: string): Statement | null {
  try {
    return parseSql(sql);
  } catch (error) {
    if (error instanceof SqlError && error.code === 'sql_unsupported') return null;
    throw error;
  }
}
