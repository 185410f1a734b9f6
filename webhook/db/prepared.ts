/**
 * Statements that come again are prepared. Drizzle prepares none, and then the driver asks for the types of each one anew, which is one
 * more way to the server and back, and the server parses and plans it anew.
 */
import type { Sql, TransactionSql } from 'postgres';

type Client = Sql | TransactionSql;

const oftenEnough = 10;
/** Each costs memory in every connection of the server. Texts that differ by how many values they have may be any number. */
const preparedMax = 200;
const watchedMax = 2_000;

/** Changes `client`, and the clients of its transactions. */
export function prepareOften(client: Sql): void {
  const prepared = new Set<string>();
  const seen = new Map<string, number>();
  const isOften = (text: string): boolean => {
    if (prepared.has(text)) return true;
    const count = (seen.get(text) ?? 0) + 1;
    if (count >= oftenEnough && prepared.size < preparedMax) {
      seen.delete(text);
      prepared.add(text);
      return true;
    }
    if (seen.size >= watchedMax) seen.clear();
    seen.set(text, count);
    return false;
  };
  const watch = <C extends Client>(one: C): C => {
    const unsafe = one.unsafe.bind(one);
    one.unsafe = ((text, values, options) =>
      unsafe(text, values, { ...options, prepare: !!values?.length && isOften(text) })) as typeof unsafe;
    return one;
  };
  const begin = watch(client).begin.bind(client);
  // Drizzle begins a transaction without options; a savepoint within it is the one it was given, seen by `unsafe` of that.
  client.begin = ((run: (transaction: TransactionSql) => Promise<unknown>) =>
    begin((transaction) => run(watch(transaction)))) as typeof client.begin;
}
