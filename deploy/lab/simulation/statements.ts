/**
 * One statement at a time on a PGlite, prepared when it is first seen, as the driver of production does it: from then on it is one
 * message, neither parsed nor planned again.
 */
import {
  Mutex,
  type messages,
  type PGlite,
  parse,
  protocol,
  type QueryOptions,
  type Results,
} from '@electric-sql/pglite';

const { serialize } = protocol;

interface Prepared {
  name: string;
  parameterTypes: number[];
  /** Of its rows; null when it returns none. */
  rowDescription: messages.RowDescriptionMessage | null;
}

export class Statements {
  readonly #client: PGlite;
  readonly #turns = new Mutex();
  readonly #prepared = new Map<string, Prepared>();
  /** PGlite's with Drizzle's, which gives the same with every query. */
  #parsers: PGlite['parsers'] | null = null;

  constructor(client: PGlite) {
    this.#client = client;
  }

  /** As `PGlite.query`; throws its `DatabaseError`. */
  query<Row>(text: string, values: unknown[] = [], options: QueryOptions = {}): Promise<Results<Row>> {
    return this.#turns.runExclusive(() => this.#query<Row>(text, values, options));
  }

  /** One or more, without parameters. */
  async exec(text: string): Promise<void> {
    await this.#turns.runExclusive(() => this.#send(serialize.query(text)));
  }

  /** Nothing of what was prepared is known any more. */
  async forget(): Promise<void> {
    this.#prepared.clear();
    await this.exec('deallocate all');
  }

  async #query<Row>(text: string, values: unknown[], options: QueryOptions): Promise<Results<Row>> {
    const { name, parameterTypes, rowDescription } = this.#prepared.get(text) ?? (await this.#prepare(text));
    const rows = await this.#send(
      serialize.bind({ statement: name, values: values.map((v, i) => this.#toText(v, parameterTypes[i]!)) }),
      serialize.execute({}),
      serialize.sync(),
    );
    if (options.parsers)
      this.#parsers ??= { ...this.#client.parsers, ...(options.parsers as PGlite['parsers']) };
    const parsers = options.parsers ? this.#parsers! : this.#client.parsers;
    const all = rowDescription ? [rowDescription, ...rows] : rows;
    const { rowMode } = options;
    return parse.parseResults(all, parsers, rowMode && { rowMode })[0] as Results<Row>;
  }

  async #prepare(text: string): Promise<Prepared> {
    const name = `s${this.#prepared.size}`;
    const told = await this.#send(
      serialize.parse({ name, text }),
      serialize.describe({ type: 'S', name }),
      serialize.sync(),
    );
    const rowDescription = told.find((m) => m.name === 'rowDescription') as Prepared['rowDescription'];
    const prepared = {
      name,
      parameterTypes: parse.parseDescribeStatementResults(told),
      rowDescription: rowDescription ?? null,
    };
    this.#prepared.set(text, prepared);
    return prepared;
  }

  async #send(...parts: Uint8Array[]) {
    return (await this.#client.execProtocol(Buffer.concat(parts), { syncToFs: false })).messages;
  }

  #toText(value: unknown, type: number): string | null {
    if (value === null || value === undefined) return null;
    return this.#client.serializers[type]?.(value) ?? String(value);
  }
}
