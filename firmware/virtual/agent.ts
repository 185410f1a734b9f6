import type { Running } from '#emqx/protocol.ts';
import { Disk, PowerLost } from './disk.ts';
import { type Identity, readIdentity, validity, writeIdentity } from './identity.ts';
import { receive } from './inbox.ts';
import { Journal, type Report } from './journal.ts';
import type { Life } from './life.ts';
import { type AgentEvent, type AgentState, afterBoot, type Effect, step } from './machine.ts';
import { manifestVerifier, type VerifyManifest } from './manifest.ts';
import type { Network } from './network.ts';
import { DeviceFault, type LogLevel, type Settings } from './options.ts';
import { randomId } from './outbox.ts';
import { Renewal } from './renewal.ts';
import { Reporter } from './reporter.ts';
import { Session } from './session.ts';
import { type Boot, type BootReason, Slots, type SlotView } from './slots.ts';
import { Timers } from './timers.ts';
import { UpdateRun } from './update-run.ts';

export interface AgentHooks {
  /** The device wants to start again; this life ends with it. */
  reboot(): void;
  changed(): void;
  notice(
    event: 'online' | 'offline' | 'boot' | 'asked' | 'result' | 'renewed' | 'identify',
    detail?: unknown,
  ): void;
}

/** One life of the device, from power-on to reset. What it keeps for the next is on its disk. */
export class Agent implements Life {
  readonly settings: Settings;
  readonly disk: Disk;
  readonly timers: Timers;
  readonly session: Session;
  readonly reporter: Reporter;
  readonly journal: Journal;
  readonly #hooks: AgentHooks;
  readonly #network: Network;
  #slots!: Slots;
  readonly renewal: Renewal;
  readonly verifyManifest: VerifyManifest;
  #identity: Identity;
  #read: { certificate: string; serial: string; notAfter: number } | null = null;
  #boot: Boot | null = null;
  #run: UpdateRun | null = null;
  #onTrial = false;
  #ended = false;

  /** Throws DeviceFault('not_enrolled'). */
  constructor(settings: Settings, network: Network, hooks: AgentHooks) {
    this.settings = settings;
    this.#network = network;
    this.#hooks = hooks;
    this.disk = new Disk(settings.dir, { fsync: settings.fsync, onWrite: settings.onDiskWrite });
    const identity = readIdentity(this.disk);
    if (!identity) throw new DeviceFault('not_enrolled', `no identity in ${settings.dir}: enroll first`);
    this.#identity = identity;
    this.verifyManifest = manifestVerifier({ ...settings, slotBytes: settings.limits.slotBytes });
    this.timers = new Timers((task) => this.#guard(task));
    this.session = new Session({
      settings,
      network,
      timers: this.timers,
      run: (task) => this.#guard(task),
      keyPair: () => this.renewal.keyPair(),
      online: (pair) => {
        this.renewal.connected(pair);
        this.#online();
      },
      offline: (pair, { wasOnline, reached, why }) => {
        if (!wasOnline && reached) this.renewal.connectFailed(pair);
        this.journal.offline();
        settings.log('debug', 'offline', { device: settings.id, why });
        if (wasOnline) hooks.notice('offline', why);
        hooks.changed();
      },
      message: (topic, payload) => receive(this, topic, payload),
    });
    this.reporter = new Reporter(settings, this.session, this.timers, () => this.running);
    this.journal = new Journal({
      disk: this.disk,
      settings,
      timers: this.timers,
      publish: ({ topic, payload }) => this.session.publish(topic, payload, { droppable: false }),
      changed: () => hooks.changed(),
    });
    this.renewal = new Renewal({
      id: settings.id,
      identity: () => this.#identity,
      store: (next) => {
        writeIdentity(this.disk, next);
        this.#identity = next;
      },
      isQueued: (id) => this.journal.holds(id),
      ask: (id, csr) =>
        this.journal.commit(this.journal.state, [{ topic: 'cert/renew/request', id, body: { csr } }]),
      newId: randomId,
      reconnect: () => this.session.reconnect(),
      renewed: () => hooks.notice('renewed'),
      retryMs: settings.timing.renewRetryMs,
      maxConnects: settings.limits.renewedConnects,
      log: (level, message, fields) => this.log(level, message, fields),
    });
  }

  get boot(): Boot | null {
    return this.#boot;
  }

  get onTrial(): boolean {
    return this.#onTrial;
  }

  get running(): Running {
    return this.#boot!.running;
  }

  get run(): UpdateRun | null {
    return this.#run;
  }

  get certificate(): { serial: string; notAfter: number } {
    const { certificate } = this.#identity;
    // Parsing takes longer than everything else in a snapshot.
    if (this.#read?.certificate !== certificate) this.#read = { certificate, ...validity(certificate) };
    const { serial, notAfter } = this.#read;
    return { serial, notAfter };
  }

  get slots(): Slots {
    return this.#slots;
  }

  /** Null until the disk has been looked at. */
  get slotView(): SlotView | null {
    return this.#boot ? this.#slots.view : null;
  }

  get network(): Network {
    return this.#network;
  }

  async start(): Promise<void> {
    this.#slots = new Slots(this.disk, this.settings.component);
    const boot = await this.#slots.boot(this.settings.limits.trialBoots);
    this.#boot = boot;
    this.journal.beginBoot(
      boot.count,
      afterBoot(this.journal.state, (it) => this.#slots.holds(it)),
    );
    this.#hooks.notice('boot', { count: boot.count, reason: boot.reason });
    this.#onTrial = boot.onTrial;
    if (boot.onTrial) {
      const failure = await this.#slots.selfTest();
      if (failure) return this.#rollBack(failure);
      this.timers.after(this.settings.timing.selfTestMs, () => {
        if (this.#onTrial) this.#rollBack({ code: 'self_test_failed', message: 'no connection in time' });
      });
    } else this.#settle();
    this.reporter.start();
    this.#checkRenewal();
    this.session.connect();
  }

  /** Everything stops at once; nothing reaches the disk any more. */
  kill(): void {
    this.#ended = true;
    this.disk.cut();
    this.timers.stop();
    this.#run?.stop();
    void this.session.close(false);
  }

  /** An orderly end: saves how far the download got and says goodbye to the broker. */
  async end(): Promise<void> {
    this.#guard(() => this.#run?.checkpoint());
    this.#ended = true;
    this.timers.stop();
    this.#run?.stop();
    this.disk.cut();
    await this.session.close(true);
  }

  apply(event: AgentEvent): void {
    const { state, effects } = step(this.journal.state, event, this.running);
    if (state !== this.journal.state || effects.length > 0) this.#commit(state, effects);
  }

  log(level: LogLevel, message: string, fields?: Record<string, unknown>): void {
    this.reporter.log(level, message, fields);
  }

  changed(): void {
    this.#hooks.changed();
  }

  spawn(work: Promise<unknown>): void {
    work.catch((error) =>
      this.#guard(() => {
        throw error;
      }),
    );
  }

  requestReboot(reason: BootReason): void {
    this.#slots.announceBoot(reason);
    this.#hooks.reboot();
  }

  notice(event: 'identify' | 'asked', detail?: unknown): void {
    this.#hooks.notice(event, detail);
  }

  #guard(task: () => void): void {
    if (this.#ended) return;
    try {
      task();
    } catch (error) {
      if (error instanceof PowerLost || this.#ended) return;
      // A firmware that finds itself in a state it cannot explain starts again; the disk is always consistent.
      this.settings.log('error', 'unexpected fault, restarting', {
        device: this.settings.id,
        error: String((error as Error)?.stack ?? error),
      });
      try {
        this.#slots.announceBoot('watchdog');
      } catch {
        // The disk itself may be the fault.
      }
      this.#hooks.reboot();
    }
  }

  #online(): void {
    if (this.#onTrial) {
      this.#slots.confirm();
      this.#onTrial = false;
      this.log('info', `image ${this.running.version} confirmed`);
      this.#settle();
    }
    this.reporter.online();
    this.journal.online();
    this.#run?.online();
    this.#checkRenewal();
    this.#hooks.notice('online');
    this.#hooks.changed();
  }

  #rollBack(error: NonNullable<Boot['rollback']>): void {
    this.settings.log('warn', 'rolling back', { device: this.settings.id, ...error });
    this.#slots.revert(error);
    this.#hooks.reboot();
  }

  /** The boot is decided: says what runs, ends an update that it was about, and goes on with one that it interrupted. */
  #settle(): void {
    const { count, reason, running, rollback, intact } = this.#boot!;
    const health = {
      topic: 'status/health' as const,
      body: {
        state: intact ? 'ok' : 'failing',
        running: [running],
        hardware: this.settings.hardware,
        boot: { count, reason },
      },
    };
    const { job } = this.journal.state;
    if (job?.stage === 'rebooting') {
      const event: AgentEvent =
        running.sha256 === job.manifest.sha256
          ? { type: 'booted', confirmed: true }
          : { type: 'booted', confirmed: false, error: rollback ?? { code: 'boot_failed' } };
      const { state, effects } = step(this.journal.state, event, running);
      this.#commit(state, effects, [health]);
    } else this.journal.commit(this.journal.state, [health]);
    if (!this.journal.state.staged) UpdateRun.clear(this.disk);
    if (!job || job.stage === 'rebooting') return;
    this.log('info', `going on with ${job.manifest.version} after a restart`, { stage: job.stage });
    this.#act(job.stage === 'verifying' ? { do: 'verify' } : { do: 'download' }, true);
  }

  #commit(state: AgentState, effects: Effect[], more: Report[] = []): void {
    this.journal.commit(state, [...more, ...effects.filter((it) => it.do === 'send')]);
    for (const effect of effects) this.#act(effect, false);
  }

  #act(effect: Effect, afterRestart: boolean): void {
    switch (effect.do) {
      case 'send':
        if (effect.topic === 'firmware/download/result') this.#hooks.notice('result', effect.body);
        this.log('info', effect.topic, effect.body);
        return;
      case 'download':
      case 'verify':
      case 'install':
        this.#run?.stop();
        this.#run = new UpdateRun(this, effect.do, afterRestart);
        return;
      case 'use-fresh-url':
        this.#run?.freshUrl();
        return;
      case 'stop':
        this.#run?.stop();
        this.#run = null;
        if (!this.journal.state.staged) UpdateRun.clear(this.disk);
        return;
      case 'reboot':
        this.#hooks.reboot();
    }
  }

  #checkRenewal(): void {
    this.spawn(this.renewal.check());
    const { renewCheckMs } = this.settings.timing;
    this.#cancelRenewalTimer();
    this.#cancelRenewalTimer = this.timers.after(renewCheckMs, () => this.#checkRenewal());
  }
  #cancelRenewalTimer: () => void = () => {};
}
