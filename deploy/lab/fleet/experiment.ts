import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { enroll } from '#firmware/virtual/identity.ts';
import { buildImage } from '#firmware/virtual/image.ts';
import { images } from '../delta/linker.ts';
import { clockJump, holdFor, kill } from '../faults.ts';
import {
  createToken,
  type Deployment,
  type DeploymentOrder,
  deploy,
  importDevices,
  listTargets,
  readDeployment,
  registerFirmware,
  type Target,
  unwrap,
} from '../rest.ts';
import { fakedClock } from '../system/clock.ts';
import type { System } from '../system/system.ts';
import { Crews } from './crews.ts';
import { hardware } from './devices.ts';
import type { Display } from './display.ts';
import { type Measured, sha256 } from './figures.ts';
import { type ExperimentOptions, type ExperimentText, toExperiment } from './options.ts';
import { type DevicePlan, planDevices } from './plan.ts';
import { createReport, type Moment, type Report } from './report.ts';

const enrolledAtOnce = 16;
/** An empty process costs as much as 300 devices. */
const devicesPerProcess = 2_000;
const lookMs = 500;
const overStates = ['completed', 'cancelled', 'halted'];
const activeStates = ['sent', 'accepted', 'downloading', 'installing', 'cancelling'];

export interface Disturbance {
  /** When so much of all the bytes of the run has arrived. */
  atPercent: number;
  strike: 'kill broker' | 'kill store' | 'power' | 'clock +1d' | 'clock -1d';
  forMs: number;
}

/** What an experiment needs of a Flota; one that runs elsewhere has no parts that could be struck. */
export type Subject = Pick<System, 'url' | 'apiToken' | 'rest' | 'mqttUrl' | 'trust' | 'broker' | 'store'> & {
  signing: Pick<System['signing'], 'publicKeys'>;
  /** Of a server that has no key. */
  signer?: System['signing'];
};

export interface ExperimentInput {
  name: string;
  about?: string;
  options: ExperimentText;
  disturbances?: Disturbance[];
  system: Subject;
  display: Display;
  signal: AbortSignal;
}

/**
 * One deployment (two when some devices get a bad image) over a fleet of its own. Always answers a report, also of a run that was
 * interrupted or went wrong, and leaves no process and no file behind.
 */
export async function runExperiment(input: ExperimentInput): Promise<Report> {
  const experiment = new Experiment(input);
  const at = new Date();
  const problems: string[] = [];
  let state: string;
  try {
    state = await experiment.run();
  } catch (error) {
    state = input.signal.aborted ? 'interrupted' : 'failed';
    if (state === 'failed') problems.push((error as Error).message);
  }
  const measured = await experiment.end(state);
  input.display.end();
  return createReport({
    name: input.name,
    about: input.about ?? null,
    at,
    options: input.options,
    state,
    problems: [...problems, ...experiment.problems],
    measured,
    moments: experiment.moments,
  });
}

class Experiment {
  readonly moments: Moment[] = [];
  readonly problems: string[] = [];
  readonly #input: ExperimentInput;
  readonly #options: ExperimentOptions;
  readonly #run = randomBytes(3).toString('hex');
  readonly #dir = mkdtempSync(join(tmpdir(), 'flota-devices-'));
  readonly #devices: { id: string; name: string; dir: string; plan: DevicePlan }[];
  readonly #images: { earlier: Buffer | null; good: Buffer; bad: Buffer };
  #crews: Crews | null = null;
  #deployments: Deployment[] = [];
  #waiting: Disturbance[];
  /** Where all devices read by how much their clocks are wrong; null: they are right. */
  #clockFile: string | null = null;
  #outages: Promise<void>[] = [];
  #cutAt: number | null = null;
  #reconnectMs: number | null = null;

  constructor(input: ExperimentInput) {
    this.#input = input;
    this.#options = toExperiment(input.options);
    this.#waiting = [...(input.disturbances ?? [])].sort((a, b) => a.atPercent - b.atPercent);
    if (this.#waiting.some(({ strike }) => strike.startsWith('clock'))) {
      this.#clockFile = join(this.#dir, 'clock');
      writeFileSync(this.#clockFile, '+0');
    }
    const { devices, image, seed } = this.#options;
    const names = Array.from({ length: devices }, (_, i) => `device-${String(i + 1).padStart(5, '0')}`);
    const plans = planDevices(names, this.#options);
    this.#devices = names.map((name) => {
      const id = name.replace('device', `fleet-${this.#run}`);
      return { id, name, dir: join(this.#dir, id), plan: plans.get(name)! };
    });
    const build = (version: string, selfTest: 'pass' | 'fail') =>
      buildImage({ version: `${this.#run}-${version}`, sizeBytes: Math.round(image), selfTest, seed });
    const [earlier, good] =
      this.#options.patches === null
        ? [null, build('good', 'pass')]
        : images('release', seed, Math.round(image), [`${this.#run}-earlier`, `${this.#run}-good`]);
    this.#images = { earlier, good, bad: build('bad', 'fail') };
  }

  /** Resolves with how it ended; rejects when it could not be carried out, or was interrupted. */
  async run(): Promise<string> {
    const { display, system } = this.#input;
    const { devices } = this.#options;
    display.phase(`registering and enrolling ${devices} devices`);
    await this.#enrolAll();
    display.phase('starting the devices');
    this.#crews = await Crews.start(
      {
        devices: this.#devices,
        experiment: this.#options,
        hardware,
        mqttUrl: system.mqttUrl,
        trust: system.trust,
        signingKeys: system.signing.publicKeys as { keys: object[] },
      },
      this.#options.processes || Math.ceil(devices / devicesPerProcess),
      this.#clockFile ? fakedClock(this.#clockFile) : {},
    );
    const deadline = Date.now() + this.#options.timeout;
    // A tenth of a fleet on a bad network is always on its way back.
    await this.#until(
      () => this.#crews!.sample.online >= devices * 0.9 - 1 || this.#crews!.lost > 0,
      deadline,
    );
    if (this.#images.earlier) await this.#bringEarlier(this.#images.earlier, deadline);
    display.phase('deploying');
    await this.#deploy();
    this.#crews.tell({ do: 'disturb' });
    const state = await this.#watch(deadline);
    await Promise.all(this.#outages);
    if (this.#cutAt !== null) await this.#until(() => this.#isBack(), deadline);
    return state;
  }

  /** Stops everything, and answers what there is to report. */
  async end(state: string): Promise<Measured> {
    const { display, system } = this.#input;
    const { rest } = system;
    display.phase('stopping');
    if (state !== 'completed')
      await Promise.allSettled(
        this.#deployments
          .filter((it) => !['completed', 'cancelled'].includes(it.state))
          .map(({ id }) => unwrap(rest.api.deployments[':id'].cancel.$post({ param: { id } }))),
      );
    const targets: Target[] = [];
    for (const { id } of this.#deployments)
      targets.push(
        ...(await listTargets(rest, id).catch((error: Error) => {
          this.problems.push(`the results could not be read: ${error.message}`);
          return [];
        })),
      );
    await Promise.allSettled(this.#outages);
    const crashes = this.#crews?.crashes ?? [];
    const stopped = (await this.#crews?.stop()) ?? { devices: [], peakBytes: 0, processorMs: 0 };
    this.problems.push(...crashes);
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 3 });
    const ids = (bad: boolean) =>
      this.#devices.filter(({ plan }) => plan.badImage === bad).map(({ id }) => id);
    return {
      good: ids(false),
      bad: ids(true),
      goodSha256: sha256(this.#images.good),
      badSha256: sha256(this.#images.bad),
      imageBytes: this.#images.good.length,
      deployedAt: this.#deployments[0] ? Date.parse(this.#deployments[0].createdAt) : null,
      targets,
      reports: stopped.devices,
      peakBytes: stopped.peakBytes,
      processorMs: stopped.processorMs,
      crashes: crashes.length,
      reconnectMs: this.#reconnectMs,
    };
  }

  /** The release that they run when this one comes. */
  async #bringEarlier(image: Buffer, deadline: number): Promise<void> {
    const { display, system } = this.#input;
    display.phase('bringing them the earlier release');
    const ids = this.#devices.map(({ id }) => id);
    await this.#send(image, 'earlier', ids, { maxAttempts: this.#options.attempts, retryDelayMs: 1000 });
    const { id } = this.#deployments.pop()!;
    let state = '';
    while (state !== 'completed') {
      ({ state } = await readDeployment(system.rest, id));
      if (state === 'halted' || Date.now() > deadline) throw new Error(`the earlier release ${state}`);
      await this.#pause(lookMs);
    }
    this.#crews!.tell({ do: 'measure' });
  }

  async #enrolAll(): Promise<void> {
    const { system, signal, display } = this.#input;
    await importDevices(
      system,
      this.#devices.map(({ id }) => `${id},${hardware},${id}`),
    );
    let next = 0;
    const work = async () => {
      for (let device = this.#devices[next++]; device; device = this.#devices[next++]) {
        signal.throwIfAborted();
        const token = await createToken(system.rest, device.id);
        await enroll({ dir: device.dir, id: device.id, url: system.url, token, fsync: false });
        if (next % 100 === 0) display.phase(`enrolled ${next} of ${this.#devices.length} devices`);
      }
    };
    await Promise.all(Array.from({ length: enrolledAtOnce }, work));
  }

  async #deploy(): Promise<void> {
    const { waves, rate, attempts } = this.#options;
    const common = {
      maxAttempts: attempts,
      retryDelayMs: 1000,
      downloadTimeoutMs: Math.max(1000, this.#options.timeout),
    };
    const rollout = { ...common, waves, ratePerMinute: rate };
    const parts = (bad: boolean) =>
      this.#devices.filter(({ plan }) => plan.badImage === bad).map(({ id }) => id);
    const [good, bad] = [parts(false), parts(true)];
    if (good.length > 0)
      // One wave for all has nothing to gate; a share of hopeless devices must not halt the rest.
      await this.#send(
        this.#images.good,
        'good',
        good,
        waves.length > 1 ? rollout : { ...rollout, failurePercent: 100 },
      );
    if (bad.length > 0)
      await this.#send(
        this.#images.bad,
        'bad',
        bad,
        good.length === 0 ? rollout : { ...common, failurePercent: 100, successPercent: 0 },
      );
  }

  async #send(
    image: Buffer,
    name: string,
    devices: string[],
    policy: DeploymentOrder['policy'],
  ): Promise<void> {
    this.#input.signal.throwIfAborted();
    const { rest, signer } = this.#input.system;
    const fields = { version: `${this.#run}-${name}`, fileName: 'fleet.bin', hardware };
    const firmware = await registerFirmware(
      rest,
      image,
      { ...fields, releaseNote: 'A fleet experiment.' },
      signer,
    );
    this.#deployments.push(await deploy(rest, { firmwareId: firmware.id, devices, policy }));
  }

  async #watch(deadline: number): Promise<string> {
    const began = Date.now();
    let before = { at: began, bytes: 0 };
    const crews = this.#crews!;
    const { rest } = this.#input.system;
    const totalBytes = this.#devices.length * this.#images.good.length;
    for (;;) {
      this.#deployments = await Promise.all(this.#deployments.map(({ id }) => readDeployment(rest, id)));
      const { online, receivedBytes } = crews.sample;
      const now = Date.now();
      const states: Record<string, number> = {};
      for (const { counts } of this.#deployments)
        for (const [state, n] of Object.entries(counts)) if (n > 0) states[state] = (states[state] ?? 0) + n;
      const bytesPerSecond = Math.max(
        0,
        ((receivedBytes - before.bytes) * 1000) / Math.max(1, now - before.at),
      );
      before = { at: now, bytes: receivedBytes };
      const moment = { atMs: now - began, states, online, bytesPerSecond: Math.round(bytesPerSecond) };
      this.moments.push(moment);
      this.#input.display.update({ ...moment, devices: this.#devices.length, crashes: crews.crashes });
      this.#disturb((100 * receivedBytes) / totalBytes);
      this.#isBack();
      const active = activeStates.reduce((sum, state) => sum + (states[state] ?? 0), 0);
      const open = active + (states.pending ?? 0);
      const halted = this.#deployments.some(({ state }) => state === 'halted');
      if (this.#deployments.every(({ state }) => overStates.includes(state)) && active === 0)
        return halted ? 'halted' : 'completed';
      // What a crashed process held will not be heard of again.
      if (crews.lost > 0 && open <= crews.lost)
        throw new Error(`${crews.lost} devices were lost with their process`);
      if (now > deadline) {
        this.problems.push(`not over after ${this.#options.timeout / 1000} s`);
        return 'timed_out';
      }
      await this.#pause(lookMs);
    }
  }

  #disturb(percent: number): void {
    while (this.#waiting[0] && percent >= this.#waiting[0].atPercent) {
      const { strike, forMs } = this.#waiting.shift()!;
      this.#input.display.phase(`${strike} for ${forMs / 1000} s`);
      if (strike === 'power') {
        this.#cutAt = Date.now() + forMs;
        this.#crews!.tell({ do: 'power', offMs: forMs });
      } else {
        const { broker, store } = this.#input.system;
        const fault = strike.startsWith('clock')
          ? clockJump(this.#clockFile!, strike.slice(-3) as '+1d' | '-1d', 'every device')
          : kill(strike === 'kill broker' ? broker! : store!);
        const work = holdFor(fault, forMs);
        this.#outages.push(work.catch((error: Error) => void this.problems.push(error.message)));
      }
    }
  }

  #isBack(): boolean {
    if (this.#cutAt === null || this.#reconnectMs !== null) return true;
    if (Date.now() < this.#cutAt + lookMs || this.#crews!.sample.online < this.#devices.length) return false;
    this.#reconnectMs = Date.now() - this.#cutAt;
    return true;
  }

  async #until(condition: () => boolean, deadline: number): Promise<void> {
    while (!condition() && Date.now() < deadline) await this.#pause(100);
  }

  /** Rejects when the run is interrupted. */
  async #pause(ms: number): Promise<void> {
    const { signal } = this.#input;
    await delay(ms, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
