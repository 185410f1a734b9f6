/** The two copies of the webhook, either of which may die at any statement and comes up again. */
import type { BrokerEvent } from '#emqx/protocol.ts';
import { Copy, type Surroundings } from './copy.ts';
import type { SimulatedDatabase } from './database.ts';
import { Violation } from './promises/committed.ts';
import { patienceMs, type Stage } from './stage.ts';

export class Copies {
  readonly #stage: Stage;
  readonly #database: SimulatedDatabase;
  readonly #surroundings: Surroundings;
  #copies: Copy[] = [];

  constructor(stage: Stage, database: SimulatedDatabase, surroundings: Omit<Surroundings, 'log'>) {
    this.#stage = stage;
    this.#database = database;
    this.#surroundings = { ...surroundings, log: (text) => stage.log(`webhook: ${text}`) };
  }

  /** Two that live while the world is prepared; returns the first. */
  startImmortal(): Copy {
    this.#copies = [this.#create(null), this.#create(null)];
    return this.#copies[0]!;
  }

  /** Those that were there end, and two mortal ones come in their place. */
  startMortal(): void {
    this.stop();
    this.#copies = [];
    for (const i of [0, 1]) this.#start(i);
  }

  stop(): void {
    for (const copy of this.#copies) copy.stop();
  }

  /** Null when none lives. */
  any(): Copy | null {
    const alive = this.#copies.filter((copy) => copy.alive);
    return alive.length ? this.#stage.random.pick(alive) : null;
  }

  /** As the broker's HTTP action: a copy that dies answers nothing, so the row is sent again after a while. */
  async post(row: BrokerEvent): Promise<'again' | 'done'> {
    const copy = this.any();
    if (!copy) return 'again';
    const patience = this.#stage.time.delay(patienceMs).then(() => 'again' as const);
    const answer = copy.submit(row).then(
      (taken) => {
        if (taken !== 'taken')
          this.#stage.fail(new Violation(`a row was refused: ${taken.refused}: ${JSON.stringify(row)}`));
        return 'done' as const;
      },
      () => 'again' as const,
    );
    return Promise.race([answer, patience]);
  }

  #create(statements: number | null, onDeath: () => void = () => {}): Copy {
    return new Copy(this.#database.connect(this.#stage.random, statements, onDeath), this.#surroundings);
  }

  /** It dies at some statement while it is hostile, and another comes up in its place. */
  #start(i: number): void {
    const { isHostile, random, seen } = this.#stage;
    const statements = isHostile && random.chance(0.7) ? random.int(30, 800) : null;
    const copy = this.#create(statements, () => {
      this.#stage.log(`copy ${i} dies`);
      seen.copiesDied++;
      copy.stop();
      this.#stage.after(random.int(500, 10_000), () => this.#start(i));
    });
    this.#copies[i] = copy;
  }
}
