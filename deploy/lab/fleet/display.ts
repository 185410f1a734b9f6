/** What a run shows while it is under way: a block that is drawn again on a terminal, plain lines elsewhere. */
import type { Writable } from 'node:stream';
import { bytes } from './report.ts';

export interface Scene {
  atMs: number;
  devices: number;
  online: number;
  states: Record<string, number>;
  bytesPerSecond: number;
  crashes: string[];
}

export interface Display {
  phase(text: string): void;
  update(scene: Scene): void;
  end(): void;
}

export const silent: Display = { phase() {}, update() {}, end() {} };

const order = ['succeeded', 'installing', 'downloading', 'accepted', 'sent', 'pending'];
const marks: Record<string, string> = {
  succeeded: '█',
  installing: '▓',
  downloading: '▒',
  accepted: '░',
  sent: '░',
  pending: '·',
};
const lineEveryMs = 5_000;

export function createDisplay(out: Writable & { isTTY?: boolean; columns?: number }, title: string): Display {
  return out.isTTY ? block(out, title) : lines(out, title);
}

function block(out: Writable & { columns?: number }, title: string): Display {
  let drawn = 0;
  let phase = '';
  let scene: Scene | null = null;
  const draw = () => {
    const width = Math.max(20, Math.min(100, out.columns ?? 80));
    const text = [`${title}: ${phase}`, ...(scene ? sceneLines(scene, width) : [])].map((l) =>
      l.slice(0, width),
    );
    const up = drawn ? `\x1b[${drawn}A` : '';
    out.write(`${up}${text.map((l) => `\x1b[2K${l}`).join('\n')}\n\x1b[J`);
    drawn = text.length;
  };
  return {
    phase(text) {
      phase = text;
      draw();
    },
    update(next) {
      scene = next;
      draw();
    },
    end() {
      drawn = 0;
    },
  };
}

function sceneLines(scene: Scene, width: number): string[] {
  const total = Math.max(
    1,
    Object.values(scene.states).reduce((a, b) => a + b, 0),
  );
  const room = width - 2;
  const rest = Object.keys(scene.states).filter((state) => !order.includes(state));
  const bar = [...order, ...rest]
    .map((state) => (marks[state] ?? '×').repeat(Math.round(((scene.states[state] ?? 0) / total) * room)))
    .join('');
  const words = [...order, ...rest]
    .filter((state) => scene.states[state])
    .map((state) => `${marks[state] ?? '×'} ${state} ${scene.states[state]}`);
  return [
    `  ${bar.slice(0, room)}`,
    `  ${words.join('   ')}`,
    `  ${describe(scene)}`,
    ...scene.crashes.map((line) => `  ! ${line}`),
  ];
}

function describe(scene: Scene): string {
  const seconds = (scene.atMs / 1000).toFixed(0);
  return `${seconds} s, ${scene.online}/${scene.devices} online, ${bytes(scene.bytesPerSecond)}/s`;
}

function lines(out: Writable, title: string): Display {
  let saidAt = Number.NEGATIVE_INFINITY;
  let last = '';
  let crashes = 0;
  return {
    phase(text) {
      out.write(`${title}: ${text}\n`);
    },
    update(scene) {
      for (const line of scene.crashes.slice(crashes)) out.write(`${title}: ${line}\n`);
      crashes = scene.crashes.length;
      const states = Object.entries(scene.states)
        .map(([state, n]) => `${state} ${n}`)
        .join(', ');
      if (states === last || scene.atMs - saidAt < lineEveryMs) return;
      last = states;
      saidAt = scene.atMs;
      out.write(`${title}: ${describe(scene)}: ${states}\n`);
    },
    end() {},
  };
}
