/** Which certificates of a device have been superseded. Pure. */

/**
 * A device that has come with its new certificate may still fall back to the old one, for instance when it is cut off before it has
 * written down that it moved. For so long it may.
 */
export const settleMs = 10 * 60_000;

export interface Held {
  serial: string;
  issuedAt: Date;
  /** Null: it was never seen in use. */
  firstSeenAt: Date | null;
  revoked: boolean;
}

/**
 * The serials to revoke: all that are older than the one of the device's last connection, once that one has been in use for a while.
 * Never the one in use, nor a younger one (the device is about to move over), nor any while the one in use is not known here.
 */
export function findSuperseded(held: readonly Held[], inUse: string | null, now: number): string[] {
  const current = held.find(({ serial }) => serial === inUse);
  if (!current?.firstSeenAt || current.revoked) return [];
  if (now - current.firstSeenAt.getTime() < settleMs) return [];
  return held
    .filter((other) => !other.revoked && other.issuedAt.getTime() < current.issuedAt.getTime())
    .map(({ serial }) => serial);
}
