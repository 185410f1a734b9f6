/** Nothing critical is lost: each outage a test, the same for the stand-in and for an EMQX. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../local/testing.ts';
import { type OutageOptions, type OutageSystem, startOutageSystem } from './system.ts';

export interface SuiteOptions extends Omit<OutageOptions, 'authority'> {
  authority: () => Promise<OutageOptions['authority']>;
  /** How long each outage lasts. */
  outageMs: number;
  /** From its end until every device has its acks. */
  recoveryMs: number;
  /** Bytes and messages of telemetry that each device sends into a webhook that hangs. */
  flood: { messages: number; bytes: number };
  /** Of the action `telemetry`: all workers together. */
  telemetryBufferBytes: number;
  /** False: those that need `restart` are listed as not run. */
  canRestart: boolean;
}

export function defineOutages(options: SuiteOptions): void {
  const timeoutMs = options.outageMs + options.recoveryMs + 30_000;
  let system: OutageSystem;

  beforeAll(async () => {
    system = await startOutageSystem({ ...options, authority: await options.authority() });
    await everybodyOnline();
  }, 120_000);
  afterAll(() => system?.close(), 60_000);

  const everybodyOnline = () =>
    until(
      () => system.devices.filter((device) => device.online()).length,
      (online) => online === options.devices,
      options.recoveryMs,
    );
  const report = () => {
    for (const device of system.devices) device.report();
  };

  /** Messages before, during and at the end of it; then all of them are in the database, once, as they were sent and in order. */
  async function survive(strike: () => Promise<unknown>, heal: () => Promise<unknown>): Promise<void> {
    report();
    await strike();
    report();
    await delay(options.outageMs / 2);
    report();
    await delay(options.outageMs / 2);
    const waited = system.devices.reduce((sum, device) => sum + device.waiting(), 0);
    expect(waited, 'messages were held up').toBeGreaterThanOrEqual(options.devices);
    await heal();
    report();
    await everythingStored();
  }

  async function everythingStored(): Promise<void> {
    await until(
      () => system.devices.reduce((sum, device) => sum + device.waiting(), 0),
      (waiting) => waiting === 0,
      options.recoveryMs,
    );
    const line = (device: string, id: string, digest: string) => `${device} ${id} ${digest}`;
    const sent = system.devices.flatMap((d) => d.reports.map((r) => line(d.id, r.id, r.digest)));
    const stored = (await system.received()).map((r) => line(r.deviceId, r.messageId, r.digest));
    expect(stored.length).toBe(sent.length);
    expect(stored.sort()).toEqual(sent.sort());
    const newest = await system.newest();
    for (const device of system.devices)
      expect(newest.get(device.id)).toBe(lastReport.get(device.id) ?? device.reports.length);
    expect(await system.deadLetters()).toBe(0);
  }
  /** Where the last message of a device was no health report. */
  const lastReport = new Map<string, number>();

  const failing = (fault: Parameters<OutageSystem['proxy']['fail']>[0]) =>
    survive(
      () => system.proxy.fail(fault),
      () => system.proxy.fail('none'),
    );
  const outage = (name: string, run: () => Promise<void>) =>
    test(`${options.devices} devices lose no critical message while ${name}`, run, timeoutMs);

  outage('the webhook is down', () => failing('refuse'));
  for (const fault of [500, 503, 'hang'] as const)
    outage(`the webhook ${fault === 'hang' ? 'hangs' : `answers ${fault}`}`, async () => {
      const before = system.proxy.failed;
      await failing(fault);
      expect(system.proxy.failed - before).toBeGreaterThan(0);
    });

  outage('answers of the webhook get lost; nothing is done twice', async () => {
    await system.proxy.fail('answer_lost');
    for (const device of system.devices) {
      lastReport.set(device.id, device.report());
      device.askForCertificate();
    }
    const before = system.proxy.failed;
    await until(
      () => system.proxy.failed - before,
      (lost) => lost > options.devices,
      options.recoveryMs,
    );
    await system.proxy.fail('none');
    await everythingStored();
    await until(
      () => system.devices.filter((device) => [...device.answers.values()].includes(0)).length,
      (unanswered) => unanswered === 0,
      options.recoveryMs,
    );
    for (const device of system.devices) expect([...device.answers.values()]).toEqual([1]);
    lastReport.clear();
  });

  outage('one copy of the webhook is replaced by another', async () => {
    report();
    const replaced = system.replaceWebhook();
    report();
    await replaced;
    report();
    await everythingStored();
  });

  outage('the database is stopped', () =>
    survive(
      () => system.postgresql.stop(),
      () => system.postgresql.start(),
    ),
  );

  const restarted = 'the webhook is down and the broker is restarted, which forgets what it had queued';
  if (options.canRestart) {
    outage(restarted, () =>
      survive(
        () => system.proxy.fail('refuse'),
        async () => {
          await system.broker.restart!();
          await system.proxy.fail('none');
          await everybodyOnline();
          await until(
            () => system.onlineInDatabase(),
            (online) => online === options.devices,
            options.recoveryMs,
          );
        },
      ),
    );
  } else {
    test.skip(`NOT RUN, for EMQX_RESTART_CMD is not set: ${restarted}`, () => {});
    afterAll(() => console.warn(`not run, for EMQX_RESTART_CMD is not set: ${restarted}`));
  }

  outage('telemetry floods a webhook that hangs, within the bounds of its buffer', async () => {
    const matched = async () => (await system.actionMetrics('telemetry')).matched!;
    const before = await matched();
    await survive(
      async () => {
        await system.proxy.fail('hang');
        for (let i = 0; i < options.flood.messages; i++)
          for (const device of system.devices) device.telemetry(options.flood.bytes);
      },
      async () => {
        const sent = options.flood.messages * options.devices;
        await until(matched, (now) => now - before >= sent, options.recoveryMs);
        const { queuing_bytes, 'dropped.queue_full': dropped } = await system.actionMetrics('telemetry');
        expect(queuing_bytes).toBeLessThanOrEqual(options.telemetryBufferBytes);
        expect(sent * options.flood.bytes).toBeGreaterThan(options.telemetryBufferBytes);
        expect(dropped).toBeGreaterThan(0);
        await system.proxy.fail('none');
      },
    );
  });
}
