/** A process of its own that makes one patch and ends: what it takes in memory and time is not the webhook's. */
import { applyPatch } from './apply.ts';
import { makePatch } from './format.ts';

process.once('message', ({ old, next }: { old: Uint8Array; next: Uint8Array }) => {
  const patch = makePatch(old, next);
  if (Buffer.compare(applyPatch(old, patch), next) !== 0) throw new Error('the patch makes another image');
  process.send!(patch, () => process.disconnect());
});
