/** `flota undo`: devices boot the image again that they ran before a deployment, from their other slot. */
import { insist, type Schemas } from './client.ts';
import type { Command, Input } from './command.ts';
import { type Exit, exits } from './errors.ts';
import { readFollow, timeoutOption } from './watch.ts';

export const undo: Command = {
  name: 'undo',
  operands: ['DEPLOYMENT'],
  summary: 'stop a deployment and take it back: devices boot what they ran before, without a download',
  options: {
    others: { help: 'devices that cannot go back get the older version by an ordinary deployment' },
    'dry-run': { help: 'who would go back to what, who not and why; nothing is sent' },
    watch: { help: 'stay until it has ended' },
    timeout: timeoutOption,
  },
  examples: [
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1 --dry-run',
    '0b1f6f6e-2f0c-4c59-9a50-0d6c5ce0f4a1 --others --watch',
  ],
  async run(input) {
    const follow = readFollow(input);
    const flota = input.flota();
    const params = { path: { id: input.operands[0]! } };
    if (input.has('dry-run'))
      return showDryRun(input, await insist(flota.GET('/api/deployments/{id}/undo', { params })));
    const body = { others: input.has('others') };
    const made = await insist(flota.POST('/api/deployments/{id}/undo', { params, body }));
    const also = made.others ? `, deployment ${made.others.id} brings it to ${made.others.total} others` : '';
    const said = `Deployment ${made.undo.id}: ${made.undo.total} devices go back to ${made.undo.firmware.version}${also}`;
    return follow(flota, made.undo.id, made, said);
  },
};

function showDryRun(input: Input, seen: Schemas['UndoDryRun']): Exit {
  const { firmware, targets } = seen;
  const excluded = Object.entries(seen.excludedCounts).filter(([, count]) => count > 0);
  input.out.show(seen, [
    firmware ? `${targets} devices would go back to ${firmware.version}` : 'No device could go back',
    ...excluded.map(([reason, count]) => `  not: ${count} ${reason.replaceAll('_', ' ')}`),
  ]);
  return exits.succeeded;
}
