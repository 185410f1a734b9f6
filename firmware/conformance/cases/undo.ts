import { strict as assert } from 'node:assert';
import { randomUUID } from 'node:crypto';
import type { Manifest, Undo } from '#emqx/protocol.ts';
import type { Case } from '../case.ts';
import { kib, type Rig } from '../rig.ts';

const hourMs = 3600_000;

/** Brought from one published image to another by `rig.deployment`; what takes it back. */
async function updateTwice(rig: Rig): Promise<{ from: Manifest; to: Manifest; undo: Undo }> {
  await rig.start();
  const from = rig.publish(64 * kib, { version: '1.0.0' });
  const before = randomUUID();
  await rig.request(from, { deployment: before });
  await rig.result(1, before);
  const to = rig.publish(96 * kib, { version: '2.0.0' });
  await rig.request(to);
  await rig.succeeds(to);
  assert.equal(rig.running.undo, true, 'it does not say that it knows undos');
  rig.files.requests.length = 0;
  const undo = { deployment: rig.deployment, leaves: to.sha256, expiresUnixMs: Date.now() + hourMs };
  return { from, to, undo: { ...from, undo } };
}

const isOf = (deployment: string) => (it: Record<string, unknown>) => it.deployment === deployment;

async function isUndone(rig: Rig, from: Manifest, deployment: string): Promise<void> {
  const result = await rig.result(1, deployment);
  assert.equal(result.outcome, 'succeeded', JSON.stringify(result));
  assert.equal((result.running as Manifest).sha256, from.sha256, 'it runs another image');
  assert.equal(rig.files.requests.length, 0, 'it downloaded something');
}

/** The order must be refused, and what runs must stay. */
function refuses(
  name: string,
  code: string,
  order: (undo: Undo, rig: Rig) => string | Promise<string>,
): Case {
  return {
    name: `an undo ${name} is refused with ${code}`,
    async run(rig) {
      const { to, undo } = await updateTwice(rig);
      const deployment = randomUUID();
      rig.undo(deployment, await order(undo, rig));
      const ack = await rig.ack(isOf(deployment));
      assert.equal(ack.accepted, false, 'it was accepted');
      assert.equal((ack.error as { code: string }).code, code);
      await rig.settle();
      assert.equal(rig.running.sha256, to.sha256);
    },
  };
}

const signed = (change: (undo: Undo) => Undo) => (undo: Undo, rig: Rig) =>
  rig.signWith({ alg: 'ES256', kid: rig.lab.key.kid }, change(undo));
const saying = (more: Partial<Undo['undo']>) => signed((it) => ({ ...it, undo: { ...it.undo, ...more } }));

export const undoCases: Case[] = [
  {
    name: 'an undo boots the previous image, and downloads nothing',
    short: true,
    async run(rig) {
      const { from, undo } = await updateTwice(rig);
      const deployment = randomUUID();
      rig.undo(deployment, await signed((it) => it)(undo, rig));
      await isUndone(rig, from, deployment);
    },
  },
  {
    name: 'an undo holds once: the same order under another name is refused when the image is back',
    async run(rig) {
      const { from, to, undo } = await updateTwice(rig);
      const order = await signed((it) => it)(undo, rig);
      const [first, again, second] = [randomUUID(), randomUUID(), randomUUID()];
      rig.undo(first, order);
      await isUndone(rig, from, first);
      await rig.request(to, { deployment: again });
      await rig.result(1, again);
      assert.equal(rig.running.sha256, to.sha256);
      rig.undo(second, order);
      const ack = await rig.ack(isOf(second));
      assert.equal((ack.error as { code: string }).code, 'undo_refused');
      await rig.settle();
      assert.equal(rig.running.sha256, to.sha256);
    },
  },
  {
    name: 'an undo of an update that another has taken back is refused when the image is back',
    async run(rig) {
      const { from, to, undo } = await updateTwice(rig);
      for (const manifest of [from, to]) {
        const deployment = randomUUID();
        await rig.request(manifest, { deployment });
        await rig.result(1, deployment);
      }
      assert.equal(rig.running.sha256, to.sha256);
      const late = randomUUID();
      rig.undo(late, await signed((it) => it)(undo, rig));
      const ack = await rig.ack(isOf(late));
      assert.equal((ack.error as { code: string } | undefined)?.code, 'undo_refused', 'it was accepted');
      await rig.settle();
      assert.equal(rig.running.sha256, to.sha256);
    },
  },
  {
    name: 'an undo to an image that is not in the other slot fails with undo_refused',
    async run(rig) {
      const { to, undo } = await updateTwice(rig);
      const deployment = randomUUID();
      rig.undo(deployment, await signed((it) => ({ ...it, sha256: 'ab'.repeat(32) }))(undo, rig));
      const result = await rig.result(1, deployment);
      assert.equal(result.outcome, 'failed', JSON.stringify(result));
      assert.equal((result.error as { code: string }).code, 'undo_refused');
      assert.equal(rig.running.sha256, to.sha256);
    },
  },
  refuses('signed by a stranger', 'signature_invalid', (undo, rig) => rig.lab.stranger.sign(undo)),
  refuses('that has expired', 'undo_refused', saying({ expiresUnixMs: Date.now() - hourMs })),
  refuses('of a deployment that never reached it', 'undo_refused', saying({ deployment: randomUUID() })),
  refuses('of another image than it runs', 'undo_refused', saying({ leaves: 'cd'.repeat(32) })),
  refuses(
    'for other hardware',
    'hardware_mismatch',
    signed((it) => ({ ...it, hardware: 'toaster' })),
  ),
];
