import type { DryRun, FirmwareDetails, Selection } from '../../api.ts';
import { toDevices } from '../../to-devices.ts';

type Wanted = Pick<Selection, 'all' | 'query' | 'regions' | 'divisions' | 'channels'>;

/** The devices page with all that a deployment leaves out for this reason; null where no query says who is chosen. */
export function listOfLeftOut(
  reason: DryRun['excluded'][number]['reason'],
  { version, hardware }: Pick<FirmwareDetails, 'version' | 'hardware'>,
  { query, all, regions, divisions, channels = ['stable'] }: Wanted,
): string | null {
  const isPlace = (regions?.length ?? 0) + (divisions?.length ?? 0) > 0;
  if (isPlace || (!all && !query)) return null;
  const why = {
    pinned: `pinned != none and pinned != "${version}"`,
    other_channel: `pinned = none and not channel in (${channels.join(', ')})`,
  }[reason as string];
  if (!why) return null;
  const whole = [`hardware = "${hardware}"`, query && `(${query})`, why].filter(Boolean).join(' and ');
  return toDevices(whole);
}
