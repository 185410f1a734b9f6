/** For tests only: a whole Flota of their own on free ports and in a temporary directory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import type { DeviceOptions } from '#firmware/virtual/options.ts';
import { freePorts, type LocalConfig, toLocalConfig } from './config.ts';
import { type Fleet, startFleet } from './fleet.ts';
import { createRest, type Rest } from './rest.ts';
import { createShowRoutes } from './show/routes.ts';
import { createShow } from './show/show.ts';
import { type Stack, startStack } from './stack.ts';

export interface TestSystem {
  dataDir: string;
  stack: Stack;
  rest: Rest;
  /** Switches on virtual devices; they are closed with the system. */
  start(count: number, options?: Partial<DeviceOptions> & { bytesPerSecond?: number }): Promise<Fleet>;
  close(): Promise<void>;
}

export async function startTestSystem(overrides: Partial<LocalConfig> = {}): Promise<TestSystem> {
  const dataDir = mkdtempSync(join(tmpdir(), 'flota-test-'));
  const config = toLocalConfig([], { ...freePorts, FLOTA_DATA: dataDir }) as LocalConfig;
  const show = createShow();
  const stack = await startStack({ ...config, ...overrides }, () => {}, createShowRoutes(show));
  const rest = createRest(stack.url, stack.apiToken);
  const fleets: Fleet[] = [];
  return {
    dataDir,
    stack,
    rest,
    async start(count, options) {
      const fleet = await startFleet(stack, rest, dataDir, count, options);
      show.attach(fleet, rest);
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

/** Debian's Chromium with a fresh profile and nothing that talks to anybody but the page's own servers. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: '/usr/bin/chromium',
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

/** Polls until `read` gives something, or fails with what it last gave. */
export async function until<T>(
  read: () => T | Promise<T>,
  good: (value: T) => boolean,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (good(value)) return value;
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms; last: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
