import { createSignal } from 'solid-js';
import { stored } from './stored.ts';

export const themes = ['system', 'light', 'dark'] as const;
export type Theme = (typeof themes)[number];

const keptTheme = stored('flota.theme');
const [theme, showTheme] = createSignal<Theme>(themes.find((one) => one === keptTheme) ?? 'system');

/** Colours follow `data-theme`; without it, the system. */
export function applyTheme(): void {
  if (theme() === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme();
}

export function setTheme(value: Theme): void {
  stored('flota.theme', value);
  showTheme(value);
  applyTheme();
}

const [timeZone, showTimeZone] = createSignal(knownZone(stored('flota.timeZone')));

function knownZone(zone: string | null): string | undefined {
  try {
    if (zone) new Intl.DateTimeFormat('en', { timeZone: zone });
    return zone || undefined;
  } catch {
    // Kept by a browser that knew more zones.
    return undefined;
  }
}

/** Empty: the browser's. */
export function setTimeZone(zone: string): void {
  stored('flota.timeZone', zone);
  showTimeZone(knownZone(zone));
}

export const browserZone = (): string => new Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Which part of them is open, from wherever it was asked for. */
export type SettingsPart = 'all' | 'password' | 'totp' | 'tokens';
const [openPart, openSettings] = createSignal<SettingsPart>();

export { openPart, openSettings, theme, timeZone };
