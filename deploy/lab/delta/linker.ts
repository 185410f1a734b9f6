/**
 * Programs that change as programs do: functions of instructions and of addresses of other functions, laid out one after the other. When one
 * grows, all behind it move, and every address of them changes. By seed, so that a run can be repeated.
 */
import { buildImage } from '#firmware/virtual/image.ts';
import { randomOf } from '../primitives/random.ts';

type Word = { op: number } | { of: number; relative: boolean };

export interface Program {
  functions: Word[][];
}

/** What a change of a program is like, from the smallest to a release. */
export const changes = ['constant', 'function', 'release'] as const;
export type Change = (typeof changes)[number];

const base = 0x4200_0000;
/** Of a release: so many of a hundred functions are changed, and one in so many is new. */
const changedPercent = 2;
const newEvery = 150;

/** Real code repeats itself: few instructions are most of it. */
function instruction(random: () => number): Word {
  const common = random() < 0.7;
  const kind = Math.floor(random() ** 2 * (common ? 24 : 200));
  return { op: ((kind * 0x01_1f_35) ^ (Math.floor(random() * 16) << 20)) >>> 0 };
}

/** Every eighth word names a function: mostly one of the same file, which stands near, and moves with it. */
function newFunction(random: () => number, number: number, others: number): Word[] {
  const words = 8 + Math.floor(random() ** 2 * 120);
  const near = () => Math.min(others - 1, Math.max(0, number + Math.floor(random() * 40) - 20));
  const called = () => (random() < 0.6 ? near() : Math.floor(random() ** 2 * others));
  return Array.from({ length: words }, () =>
    random() < 0.12 ? { of: called(), relative: random() < 0.8 } : instruction(random),
  );
}

export function write(seed: number, sizeBytes: number): Program {
  const random = randomOf(seed);
  const functions: Word[][] = [];
  const others = Math.ceil(sizeBytes / 4 / 48);
  for (let words = 0; words * 4 < sizeBytes; words += functions.at(-1)!.length)
    functions.push(newFunction(random, functions.length, others));
  return { functions };
}

export function change(program: Program, what: Change, seed: number): Program {
  const random = randomOf(seed ^ 0x5bd1_e995);
  const functions = program.functions.map((body) => [...body]);
  const pick = () => functions[Math.floor(random() * functions.length)]!;
  const edit = (body: Word[]) => {
    for (let edits = 1 + Math.floor(random() * 4); edits > 0; edits--) {
      const at = Math.floor(random() * body.length);
      body.splice(at, random() < 0.5 ? 1 : 0, ...Array.from({ length: 3 }, () => instruction(random)));
    }
  };
  if (what === 'constant') {
    const body = pick();
    body[Math.floor(body.length / 2)] = { op: Math.floor(random() * 2 ** 32) >>> 0 };
  } else if (what === 'function') {
    edit(pick());
  } else {
    for (let n = Math.ceil((functions.length * changedPercent) / 100); n > 0; n--) edit(pick());
    // New ones come last as numbers, and anywhere in the image.
    for (let n = Math.ceil(functions.length / newEvery); n > 0; n--)
      functions.push(newFunction(random, functions.length, functions.length));
  }
  return { functions };
}

/** New functions are laid out where their file is: spread over the image. */
function layOut(count: number, known: number): number[] {
  const order = Array.from({ length: Math.min(known, count) }, (_, i) => i);
  for (let n = known; n < count; n++) order.splice(((n * 7919) % known) + 1, 0, n);
  return order;
}

/** `known`: how many functions the program had at first. */
export function link({ functions }: Program, known: number): Buffer {
  const order = layOut(functions.length, known);
  const addresses = new Uint32Array(functions.length);
  let at = base;
  for (const n of order) {
    addresses[n] = at;
    at += functions[n]!.length * 4;
  }
  const image = Buffer.alloc(at - base);
  let offset = 0;
  for (const n of order) {
    for (const word of functions[n]!) {
      const value =
        'op' in word
          ? word.op
          : word.relative
            ? (addresses[word.of % functions.length]! - (base + offset)) >>> 0
            : addresses[word.of % functions.length]!;
      image.writeUInt32LE(value, offset);
      offset += 4;
    }
  }
  return image;
}

/** An image before and after a change. */
export function pair(what: Change, seed: number, sizeBytes: number): [Buffer, Buffer] {
  const before = write(seed, sizeBytes);
  const known = before.functions.length;
  return [link(before, known), link(change(before, what, seed), known)];
}

/** The same as images that virtual devices boot: with a header, which names the version. */
export function images(
  what: Change,
  seed: number,
  sizeBytes: number,
  [older, newer]: [string, string] = ['1.0.0', '2.0.0'],
): [Buffer, Buffer] {
  const [before, after] = pair(what, seed, sizeBytes);
  const head = (version: string) => buildImage({ version, selfTest: 'pass', sizeBytes: 512, seed });
  return [Buffer.concat([head(older), before]), Buffer.concat([head(newer), after])];
}
