/** What the devices that a group finds are to have: the channel that they follow, the version that they are pinned to. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Flota, insist } from '../client.ts';
import { CliError } from '../errors.ts';

/** What is left out is left to each device; `pinned` null: to no version. */
export interface Settings {
  channel?: string | undefined;
  pinned?: string | null | undefined;
}
export type Setting = keyof Settings;
const pollMs = 300;

/** Which of them differ: those are counted, and changed. */
const others = (query: string, setting: Setting, value: string | null): string =>
  `(${query}) and not ${setting} = ${value ?? 'none'}`;

/** How many devices differ; of what nobody has to change nothing is there. */
export async function countUnsettled(
  flota: Flota,
  query: string,
  settings: Settings,
): Promise<Partial<Record<Setting, number>>> {
  const found: Partial<Record<Setting, number>> = {};
  for (const [setting, value] of listed(settings)) {
    const asked = { q: others(query, setting, value), limit: 1, offset: 0, count: 'exact' as const };
    const page = await insist(flota.GET('/api/devices', { params: { query: asked } }));
    const total = Array.isArray(page) ? page.length : page.total;
    if (total > 0) found[setting] = total;
  }
  return found;
}

/** Resolves when the devices have it. A job of the server: it goes on when this is stopped. */
export async function settle(flota: Flota, query: string, settings: Settings): Promise<void> {
  for (const [setting, value] of listed(settings)) {
    const chosen = {
      all: true,
      regions: [],
      divisions: [],
      devices: [],
      query: others(query, setting, value),
    };
    const started =
      setting === 'channel'
        ? flota.POST('/api/jobs/channel', { body: { ...chosen, channel: value! } })
        : value === null
          ? flota.POST('/api/jobs/unpin', { body: chosen })
          : flota.POST('/api/jobs/pin', { body: { ...chosen, version: value } });
    let job: { id: string; state: string; failed: number; total: number };
    try {
      job = await insist<typeof job>(started);
    } catch (error) {
      if (error instanceof CliError && error.code === 'no_match') continue;
      throw error;
    }
    while (job.state === 'running') {
      await sleep(pollMs);
      job = await insist(flota.GET('/api/jobs/{id}', { params: { path: { id: job.id } } }));
    }
    if (job.failed > 0 || job.state !== 'done')
      throw CliError.of(
        'devices_not_set',
        `${setting} of ${job.failed} of ${job.total} devices could not be set: job ${job.id} is ${job.state}.`,
      );
  }
}

const listed = (settings: Settings): [Setting, string | null][] =>
  (['channel', 'pinned'] as const).flatMap((setting) => {
    const value = settings[setting];
    return value === undefined ? [] : [[setting, value] as [Setting, string | null]];
  });
