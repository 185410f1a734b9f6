/**
 * A process that plays schedules of whole deployments, one after the other, each when it is told its seed: virtual time is a whole process's.
 * Forked by `workers.ts`.
 */
import '#deploy/lab/primitives/closed-pipe.ts';
import { createHash } from 'node:crypto';
import { makeKey, openKey } from '#firmware/signing/key.ts';
import { SimulatedDatabase } from './database.ts';
import { type Played, play } from './schedule.ts';
import { simulationStart } from './stage.ts';

/** What it is started with. */
export interface WorkerOptions {
  database: string | null;
  /** Everything that happens goes to the standard output. */
  isTold: boolean;
}
export type Order = { seed: number };
/** With a digest of all that happened. Null: it is ready for its first. */
export type Answer = (Played & { digest: string }) | null;

const { database: file, isTold } = JSON.parse(process.argv[2]!) as WorkerOptions;
const database = await SimulatedDatabase.open(simulationStart, file);
const key = await openKey(makeKey());
const keys = { signer: key, trusted: key.publicKeys };
const answer = (what: Answer) => process.send!(what);

process.on('message', async ({ seed }: Order) => {
  const hash = createHash('sha256');
  const played = await play(database, keys, seed, (line) => {
    hash.update(`${line}\n`);
    if (isTold) process.stdout.write(`${line}\n`);
  });
  answer({ ...played, digest: hash.digest('hex').slice(0, 16) });
});
// Also when it is in the middle of something: whoever started it is gone.
process.on('disconnect', () => process.exit());
answer(null);
