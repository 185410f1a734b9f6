import type { ChildProcess } from 'node:child_process';
import { forkGuarded, killGroup } from '../primitives/guard.ts';
import { keepPrograms } from '../primitives/programs.js';
import type { Crew, DeviceReport, News, Order, Sample } from './messages.ts';

/** Memory before speed: a small nursery, and a collection when the worker asks for it. */
const thrift = ['--max-semi-space-size=1', '--expose-gc'];
/** Each says goodbye to the broker, which takes a busy machine a while. */
const stopMaxMs = (devices: number) => 60_000 + 30 * devices;

export interface CrewsReport {
  devices: DeviceReport[];
  /** Of all processes together: memory at its highest, and processor time. */
  peakBytes: number;
  processorMs: number;
}

/** The processes that hold the devices. */
export class Crews {
  readonly #members: Member[] = [];
  /** One line for each process that ended before it was told to. */
  readonly crashes: string[] = [];

  /** Resolves when all run, with more environment if given; the devices connect by themselves. */
  static async start(crew: Crew, processes: number, env: Record<string, string> = {}): Promise<Crews> {
    // One that brings a TypeScript loader along has twice the memory.
    keepPrograms(['others']);
    const crews = new Crews();
    for (let i = 0; i < processes; i++) {
      const devices = crew.devices.filter((_, index) => index % processes === i);
      if (devices.length > 0)
        crews.#members.push(
          new Member(
            i + 1,
            { ...crew, devices },
            (line) => {
              crews.crashes.push(line);
            },
            env,
          ),
        );
    }
    await Promise.all(crews.#members.map((member) => member.started));
    return crews;
  }

  tell(order: Order): void {
    for (const member of this.#members) member.tell(order);
  }

  get pids(): number[] {
    return this.#members.flatMap(({ pid }) => pid ?? []);
  }

  /** All processes together. */
  get sample(): Omit<Sample, 'ended'> {
    const sum = { online: 0, receivedBytes: 0, results: 0 };
    for (const { sample } of this.#members) {
      sum.online += sample.online;
      sum.receivedBytes += sample.receivedBytes;
      sum.results += sample.results;
    }
    return sum;
  }

  /** Devices whose process is gone, and that had no result yet: nothing more will be heard of them. */
  get lost(): number {
    return this.#members.reduce((sum, { lost }) => sum + lost, 0);
  }

  /** Stops every device; what they have to show, and what their processes cost. A second call waits for the first. */
  stop(): Promise<CrewsReport> {
    this.#stopped ??= Promise.all(this.#members.map((member) => member.stop())).then((reports) => {
      return {
        devices: reports.flatMap((report) => report?.devices ?? []),
        peakBytes: reports.reduce((sum, report) => sum + (report?.peakBytes ?? 0), 0),
        processorMs: reports.reduce((sum, report) => sum + (report?.processorMs ?? 0), 0),
      };
    });
    return this.#stopped;
  }
  #stopped: Promise<CrewsReport> | undefined;
}

class Member {
  readonly started: Promise<void>;
  readonly #child: ChildProcess;
  readonly #ended = new Set<string>();
  readonly #total: number;
  #report: (News & { news: 'stopped' }) | null = null;
  #exited = false;
  #exit: Promise<void>;
  /** All that it has said has been read, which may be after its exit. */
  readonly #heard: Promise<void>;
  #stopping = false;
  sample: Sample = { online: 0, receivedBytes: 0, results: 0, ended: [] };

  constructor(number: number, crew: Crew, crashed: (line: string) => void, env: Record<string, string>) {
    this.#total = crew.devices.length;
    this.#child = forkGuarded(new URL('./worker.ts', import.meta.url), {
      execArgv: thrift,
      env: { ...process.env, MALLOC_ARENA_MAX: '1', ...env },
    });
    this.#exit = new Promise((resolve) => {
      this.#child.once('exit', (code, signal) => {
        this.#exited = true;
        this.sample = { ...this.sample, online: 0 };
        if (!this.#stopping)
          crashed(`device process ${number} (${this.#total} devices) ended: ${signal ?? `status ${code}`}`);
        resolve();
      });
    });
    this.#heard = new Promise((resolve) => {
      this.#child.once('disconnect', resolve);
    });
    this.started = new Promise((resolve) => {
      void this.#exit.then(resolve);
      this.#child.on('message', (news: News) => {
        if (news.news === 'up') {
          this.tell({ do: 'start', crew });
          resolve();
        } else if (news.news === 'stopped') this.#report = news;
        else {
          this.sample = news.sample;
          for (const id of news.sample.ended) this.#ended.add(id);
        }
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get lost(): number {
    return this.#exited && !this.#stopping ? this.#total - this.#ended.size : 0;
  }

  tell(order: Order): void {
    if (this.#child.connected) this.#child.send(order);
  }

  async stop(): Promise<(News & { news: 'stopped' }) | null> {
    if (!this.#exited) {
      this.#stopping = true;
      this.tell({ do: 'stop' });
      const kill = setTimeout(() => killGroup(this.#child, 'SIGKILL'), stopMaxMs(this.#total));
      await this.#exit;
      clearTimeout(kill);
      await this.#heard;
    }
    return this.#report;
  }
}
