import type { Limits, Timing } from './options.ts';

type Bounds = Pick<Limits, 'chunkFloorBytes' | 'chunkCeilingBytes'>;

function clamp(bytes: number, bounds: Bounds): number {
  return Math.min(bounds.chunkCeilingBytes, Math.max(bounds.chunkFloorBytes, Math.round(bytes)));
}

/** How much to ask for next: twice as much after a fast chunk, half after a slow or broken one. */
export function nextChunkBytes(
  current: number,
  last: { broken: boolean; elapsedMs: number },
  bounds: Bounds,
  pace: Pick<Timing, 'fastChunkMs' | 'slowChunkMs'>,
): number {
  if (last.broken || last.elapsedMs > pace.slowChunkMs) return clamp(current / 2, bounds);
  if (last.elapsedMs < pace.fastChunkMs) return clamp(current * 2, bounds);
  return clamp(current, bounds);
}
