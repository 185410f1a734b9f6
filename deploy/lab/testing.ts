/** For tests only: a whole Flota of their own on free ports and in a temporary directory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { cheapPasswords } from '#webhook/testing.ts';
import { type Fleet, type FleetOptions, startFleet } from './fleet/devices.ts';
import type { Rest } from './rest.ts';
import { createShowRoutes } from './show/routes.ts';
import { createShow } from './show/show.ts';
import { openDatabaseInMemory } from './system/kept-database.ts';
import { defaultOptions, type SystemOptions } from './system/options.ts';
import { type System, startSystem } from './system/system.ts';

export interface TestSystem {
  dataDir: string;
  stack: System;
  rest: Rest;
  /** Switches on virtual devices; they are closed with the system. */
  start(count: number, options?: FleetOptions): Promise<Fleet>;
  close(): Promise<void>;
}

export async function startTestSystem(
  overrides: Partial<SystemOptions> = {},
  show = createShow(),
): Promise<TestSystem> {
  const dataDir = mkdtempSync(join(tmpdir(), 'flota-test-'));
  const localRoutes = createShowRoutes(show);
  const stack = await startSystem({
    ...defaultOptions,
    dataDir,
    localRoutes,
    // What a disk, and keys and passwords that are hard to guess, cost is paid where they are tested.
    openDatabase: overrides.databaseUrl ? undefined : openDatabaseInMemory,
    authority: { dir: join(dataDir, 'ca') },
    passwords: cheapPasswords(),
    ...overrides,
  });
  const fleets: Fleet[] = [];
  return {
    dataDir,
    stack,
    rest: stack.rest,
    async start(count, options) {
      const fleet = await startFleet(stack, dataDir, count, { fsync: false, ...options });
      show.attach(fleet, stack.rest);
      fleets.push(fleet);
      return fleet;
    },
    async close() {
      await Promise.all(fleets.map((fleet) => fleet.close()));
      await stack.close();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/**
 * Debian's Chromium with a fresh profile and nothing that talks to anybody but the page's own servers. Without the window around the page,
 * which is drawn without a screen, too, and takes more than the page: half the processor time.
 */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium-headless-shell',
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
}
