/** `flota apply`: makes the server have what a fleet file says. */
import { type Flota, insist } from '../client.ts';
import type { Command } from '../command.ts';
import { CliError } from '../errors.ts';
import type { Change } from './difference.ts';
import { fileOption, prepare, presentChange, secretsOption, titleOf } from './plan.ts';
import type { Claim, Kind, Live } from './things.ts';

const pastOf = { create: 'created', update: 'changed', remove: 'removed' } as const;

export const apply: Command = {
  name: 'apply',
  summary: 'make the server have what a fleet file says; removes only what the file has made',
  options: {
    file: fileOption,
    secrets: secretsOption,
    adopt: {
      help: 'take over what is there already and in the file: once it is taken out of the file, apply removes it',
    },
  },
  examples: ['-f fleet.yaml', '-f fleet.yaml --adopt'],
  async run(input) {
    const { flota, file, present, compared } = await prepare(input);
    const { owner } = file.fleet;
    const { write, remove, subjectOf } = await import('./things.ts');
    const { changes } = compared;
    for (const [i, change] of changes.entries()) {
      try {
        await perform(change);
      } catch (error) {
        if (!(error instanceof CliError)) throw error;
        const names = (part: Change[]) =>
          part.map((one) => `${one.does} ${titleOf(one)}`).join(', ') || 'nothing';
        throw CliError.of(
          'apply_broke_off',
          `${change.does} ${titleOf(change)}: ${error.message} (${error.code}); done: ${names(changes.slice(0, i))}; not done: ${names(changes.slice(i))}`,
          'Apply again to finish.',
          error,
        );
      }
      input.out.note(`${pastOf[change.does]} ${titleOf(change)}`);
    }
    if (input.has('adopt'))
      for (const { wanted, live, claim } of compared.unchanged)
        if (!claim)
          await make(flota, { owner, kind: wanted.kind, name: wanted.name, subject: subjectOf(live) });
    for (const { id } of compared.stale) await release(flota, id);
    input.out.show(
      { changes: changes.map(presentChange) },
      changes.length === 0
        ? 'Nothing to do: the server is as the file says.'
        : `${changes.length} changes made.`,
    );

    async function perform(change: Change): Promise<void> {
      const { kind, name, claim, live } = change;
      if (change.does === 'remove') {
        await remove(flota, change.live);
        return release(flota, claim!.id);
      }
      if (!live) await make(flota, { owner, kind, name, subject: null });
      const id = await write(flota, change.wanted, live, present.things);
      // What is made later may name it.
      const made: Live = { kind, id, name, fields: change.wanted.fields };
      present.things = [...present.things.filter((thing) => thing.id !== id), made];
      if (live && !claim && !input.has('adopt')) return;
      if (claim && claim.name !== name) await release(flota, claim.id);
      await make(flota, { owner, kind, name, subject: subjectOf(made) });
    }
  },
};

type Made = Pick<Claim, 'owner' | 'name' | 'subject'> & { kind: Kind };

async function make(flota: Flota, body: Made): Promise<void> {
  await insist(flota.PUT('/api/claims', { body }));
}

async function release(flota: Flota, id: string): Promise<void> {
  await insist(flota.DELETE('/api/claims/{id}', { params: { path: { id } } }));
}
