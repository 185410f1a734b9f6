/**
 * The agent in C, as a WebAssembly module (`wasm/glue.c`): one instance holds any number of agents, each in a block of its memory.
 */
import { readFileSync } from 'node:fs';
import { type AgentPort, type BootReason, bootReasons, ok, type Stage, stages } from './agent-port.ts';
import { createImports } from './imports.ts';
import { ModuleMemory } from './module-memory.ts';

export interface AgentConfig {
  component: string;
  hardware: string;
  slotBytes: number;
  bootReason: 'power_on' | 'watchdog';
  /** false: forgets a download that breaks. */
  resume: boolean;
  /** Takes updates by patch. */
  patches: boolean;
  /** Opens sealed objects. */
  sealed: boolean;
  /** `timing` and `limits` of options.ts in one. */
  numbers: Record<string, number>;
  /** x || y, 64 bytes. */
  keys: { kid: string; xy: Uint8Array }[];
}

interface Exports {
  memory: WebAssembly.Memory;
  __stack_pointer: WebAssembly.Global;
  create(
    resumes: number,
    reason: number,
    slotBytes: number,
    takesPatches: number,
    opensSealed: number,
  ): number;
  destroy(device: number): void;
  setting_names(): number;
  scratch(): number;
  set(device: number, numbers: number, component: number, hardware: number): void;
  trust(device: number, kid: number, xy: number): number;
  init(device: number): number;
  poll(device: number): number;
  suspend(device: number): number;
  look(device: number): number;
}

export class AgentModule {
  readonly #exports: Exports;
  readonly #settingNames: string[];
  readonly #memory: ModuleMemory;
  /** By address of the agent. */
  readonly #ports = new Map<number, AgentPort>();
  #depth = 0;

  constructor(code: WebAssembly.Module) {
    this.#memory = new ModuleMemory();
    const port = createImports(this.#memory, (device) => this.#ports.get(device)!);
    this.#exports = new WebAssembly.Instance(code, { port }).exports as unknown as Exports;
    this.#memory.of = this.#exports.memory;
    this.#settingNames = this.#memory.text(this.#exports.setting_names()).split(' ');
  }

  /** The one of this process. */
  static shared(): AgentModule {
    AgentModule.#shared ??= new AgentModule(
      new WebAssembly.Module(readFileSync(new URL('./wasm/agent.wasm', import.meta.url))),
    );
    return AgentModule.#shared;
  }
  static #shared: AgentModule | undefined;

  /** Bytes of memory that the agents take, those that are gone included. */
  get memoryBytes(): number {
    return this.#exports.memory.buffer.byteLength;
  }

  /** Throws RangeError when there is no memory left, or a setting is missing. */
  create(config: AgentConfig, port: AgentPort): Agent {
    const exports = this.#exports;
    const reason = bootReasons.indexOf(config.bootReason);
    const device = this.enter(() =>
      exports.create(
        Number(config.resume),
        reason,
        config.slotBytes,
        Number(config.patches),
        Number(config.sealed),
      ),
    );
    if (device === 0) throw new RangeError('no memory for another agent');
    this.#ports.set(device, port);
    this.#configure(device, config);
    return new Agent(this, exports, device, () => {
      this.#ports.delete(device);
      exports.destroy(device);
    });
  }

  /** Runs a call of the module; agents share a stack and a work buffer, so such calls do not nest. */
  enter<T>(call: () => T): T {
    if (this.#depth > 0) throw new Error('an agent was called from within a callback of an agent');
    const stack = this.#exports.__stack_pointer;
    const top = stack.value;
    this.#depth++;
    try {
      return call();
    } catch (error) {
      // What was thrown has passed through C, which had no chance to tidy up.
      stack.value = top;
      throw error;
    } finally {
      this.#depth--;
    }
  }

  /** Reads what `look` has left. */
  view(address: number): AgentView {
    const at = (index: number) => this.#memory.bytes.readDoubleLE(address + 8 * index);
    const text = (index: number) => {
      const pointer = this.#memory.bytes.readUInt32LE(address + 8 * 11 + 4 * index);
      return pointer === 0 ? null : this.#memory.text(pointer);
    };
    return {
      attempt: at(0),
      stats: { downloadMs: at(1), receivedBytes: at(2), redownloadedBytes: at(3), resumes: at(4) },
      receivedBytes: at(5),
      totalBytes: at(6),
      chunkBytes: at(7),
      bootCount: at(8),
      outboxMessages: at(9),
      bootReason: bootReasons[at(10)]!,
      deployment: text(0),
      version: text(1),
    };
  }

  #configure(device: number, config: AgentConfig): void {
    const exports = this.#exports;
    const scratch = exports.scratch() >>> 0;
    const [component, hardware] = [scratch + 1024, scratch + 2048];
    this.#settingNames.forEach((name, index) => {
      const value = config.numbers[name];
      if (!Number.isFinite(value)) throw new RangeError(`${name} is not a number`);
      this.#memory.bytes.writeUInt32LE(
        Math.min(0xffff_ffff, Math.max(0, Math.round(value!))),
        scratch + 4 * index,
      );
    });
    this.#memory.put(config.component, component, 256);
    this.#memory.put(config.hardware, hardware, 1024);
    exports.set(device, scratch, component, hardware);
    for (const { kid, xy } of config.keys) {
      this.#memory.view(scratch, 64).set(xy);
      if (this.#memory.put(kid, component, 65) < 0 || exports.trust(device, component, scratch) !== ok)
        throw new RangeError('too many signing keys, or a kid that is too long');
    }
  }
}

export interface AgentView {
  attempt: number;
  stats: { downloadMs: number; receivedBytes: number; redownloadedBytes: number; resumes: number };
  receivedBytes: number;
  totalBytes: number;
  chunkBytes: number;
  bootCount: number;
  outboxMessages: number;
  bootReason: BootReason;
  deployment: string | null;
  /** Null when there is no job. */
  version: string | null;
}

/** One agent: `ota_agent.h`. Whatever its port throws comes out of the call that led to it. */
export class Agent {
  readonly #module: AgentModule;
  readonly #exports: Exports;
  readonly #device: number;
  readonly #release: () => void;

  constructor(module: AgentModule, exports: Exports, device: number, release: () => void) {
    this.#module = module;
    this.#exports = exports;
    this.#device = device;
    this.#release = release;
  }

  /** False: storage cannot be read or written. Throws RangeError when the configuration makes no sense. */
  init(): boolean {
    const error = this.#module.enter(() => this.#exports.init(this.#device));
    if (error === -1)
      throw new RangeError('the limits contradict each other, or the component is no name of one');
    return error === ok;
  }

  /** Does a bounded piece of what is due: milliseconds until more is, in the low 16 bits, and AgentState in those above. */
  poll(): number {
    return this.#module.enter(() => this.#exports.poll(this.#device));
  }

  suspend(): void {
    this.#module.enter(() => this.#exports.suspend(this.#device));
  }

  /** May be called from within a callback. */
  look(): AgentView {
    return this.#module.view(this.#exports.look(this.#device));
  }

  /** The last call. */
  free(): void {
    this.#release();
  }
}

/** `poll() >>> 16`: compare it to see a change, read it with these. */
export const stateOf = {
  stage: (state: number): Stage => stages[state & 0xf]!,
  onTrial: (state: number) => (state & 0x10) !== 0,
  online: (state: number) => (state & 0x20) !== 0,
  ended: (state: number) => (state & 0x40) !== 0,
};
