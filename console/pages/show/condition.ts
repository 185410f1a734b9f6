import { t } from '../../i18n/i18n.ts';
import type { Tone } from '../../parts/state-tone.ts';
import { lookOf } from '../../parts/state-tone.ts';
import type { ShowDevice } from './wire.ts';

export type Condition = { tone: Tone; glyph: string; text: string };

const plug = 'M4.5 1.5v3M7.5 1.5v3M3 4.5h6v2a3 3 0 0 1-6 0zM6 9.5v1.5';
const noWaves = 'M1.5 4.5a7 7 0 0 1 9 0M3.5 7a4 4 0 0 1 5 0M6 9.5h.01M2 1.5l8 9';
const turning = 'M10 6a4 4 0 1 1-1.2-2.8M9 1v2.5H6.5';

const runningVersion = ({ slots }: ShowDevice): string => (slots ? (slots[slots.active] ?? '?') : '?');

const secondsTo = (until: number, nowMs: number): number => Math.max(1, Math.ceil((until - nowMs) / 1000));

/** How a device is, in a word and a shape: what was done to it first, then what it does. */
export function conditionOf(device: ShowDevice, nowMs: number): Condition {
  if (device.powerCutUntil && device.powerCutUntil > nowMs) {
    return {
      tone: 'bad',
      glyph: plug,
      text: t('show.noPower', { n: secondsTo(device.powerCutUntil, nowMs) }),
    };
  }
  if (device.networkCutUntil && device.networkCutUntil > nowMs) {
    const n = secondsTo(device.networkCutUntil, nowMs);
    return { tone: 'bad', glyph: noWaves, text: t('show.noNetwork', { n }) };
  }
  switch (device.state) {
    case 'off':
    case 'rebooting':
    case 'booting':
      return { tone: 'moving', glyph: turning, text: t('show.restarting') };
    case 'testing':
      return { tone: 'moving', glyph: turning, text: t('show.onTrial', { version: runningVersion(device) }) };
    case 'accepted':
    case 'downloading':
    case 'installing':
      return {
        ...lookOf(device.state),
        text: `${t(`state.${device.state}`)} ${device.version ?? ''}`.trim(),
      };
    case 'verifying':
      return { tone: 'moving', glyph: turning, text: t('show.verifying') };
    case 'idle':
      return settled(device);
  }
}

function settled(device: ShowDevice): Condition {
  const version = runningVersion(device);
  switch (device.outcome) {
    case 'updated':
      return { ...lookOf('succeeded'), text: t('show.updated', { version }) };
    case 'rolled_back':
      return { ...lookOf('rolled_back'), text: t('show.rolledBack', { version }) };
    case 'failed':
      return { ...lookOf('failed'), text: t('show.failed', { version }) };
    case 'cancelled':
      return { ...lookOf('cancelled'), text: t('show.cancelled', { version }) };
    default:
      return { ...lookOf('pending'), text: t('show.idle', { version }) };
  }
}
