/**
 * Addresses of a program as functions and lines, by the tool that is installed. Parsers of debugging information were not made for hostile
 * files: each run is a process of its own, without a shell and an environment, and bounded in time, memory and output.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { codeRangesOf } from './code-ranges.ts';

/** One call; of a function that is inlined into others there are several at one address, the innermost first. */
export interface Call {
  function: string;
  /** `file.c`, as the ELF has it; null where it does not say. */
  file: string | null;
  line: number | null;
}

export interface Symboliser {
  /** `llvm-symbolizer` or `addr2line`; null: neither is installed here, or nothing that could bound them. */
  tool: string | null;
  /**
   * Calls by address. `fetchElf` puts the file of that digest where it is told. Throws when the tool fails or takes too much, and then for an
   * hour whenever the same is asked.
   */
  symbolise(
    sha256: string,
    addresses: string[],
    fetchElf: (path: string) => Promise<void>,
  ): Promise<Record<string, Call[]>>;
}

/** Where systems keep them. */
const standardFolders = ['/usr/bin', '/usr/local/bin', '/bin'];
const timeoutMs = 15_000;
/** An ELF that has broken the tool is tried again after so long. */
export const againMs = 3_600_000;
const bounds = [`--as=${2 * 1024 ** 3}`, '--cpu=10', '--fsize=0', '--core=0', '--nofile=64'];
const maxOutputBytes = 1024 * 1024;
/** What is longer is no name that anybody reads: C++ templates go on for kilobytes. */
const maxNameChars = 300;
const maxInlined = 16;

export function createSymboliser(folders = standardFolders): Symboliser {
  const limit = find('prlimit', folders);
  const llvm = find('llvm-symbolizer', folders);
  const tool = llvm ?? find('addr2line', folders);
  // One at a time: who asks meanwhile waits for what may take a second, and who asks the same has the same answer.
  let last: Promise<unknown> = Promise.resolve();
  const asked = new Map<string, Promise<Record<string, Call[]>>>();
  /** What broke the tool, until when: a page that is loaded again and again must not keep it at work. */
  const broken = new Map<string, number>();
  return {
    tool: limit && tool ? (llvm ? 'llvm-symbolizer' : 'addr2line') : null,
    symbolise(sha256, addresses, fetchElf) {
      if (!limit || !tool) throw new Error('there is no tool to symbolise with');
      const what = [sha256, ...addresses].join(' ');
      const same = asked.get(what);
      if (same) return same;
      const now = performance.now();
      for (const [one, until] of broken) if (until <= now) broken.delete(one);
      if (broken.has(what)) return Promise.reject(new Error('it broke the tool less than an hour ago'));
      const style = llvm ? ['--output-style=GNU'] : [];
      const run = async () => {
        const folder = await mkdtemp(join(tmpdir(), 'flota-elf-'));
        const elf = join(folder, 'program.elf');
        try {
          await fetchElf(elf);
          // For what lies elsewhere (a ROM, or nowhere) the tools name the symbol that is nearest.
          const ranges = codeRangesOf(await readHead(elf));
          const inside = addresses.filter((a) =>
            ranges.some((r) => BigInt(a) >= r.start && BigInt(a) < r.end),
          );
          if (inside.length === 0) return {};
          const options = [...style, '-e', elf, '-f', '-C', '-i', '-a'];
          const text = await execute(limit, [...bounds, tool, ...options, ...inside], folder).catch(
            (error) => {
              broken.set(what, performance.now() + againMs);
              throw error;
            },
          );
          return parse(text, inside);
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      };
      const mine = last.then(run, run).finally(() => asked.delete(what));
      asked.set(what, mine);
      last = mine.catch(() => {});
      return mine;
    },
  };
}

async function readHead(path: string): Promise<Uint8Array> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function find(name: string, folders: string[]): string | null {
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here.
    }
  }
  return null;
}

function execute(program: string, args: string[], cwd: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      cwd,
      env: {},
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: maxOutputBytes,
    } as const;
    execFile(program, args, options, (error, stdout) => (error ? reject(error) : resolve(stdout)));
  });
}

/** For each address a line with it, then pairs of lines: the function, and `file:line`; `??` stands for what is not known. */
function parse(text: string, addresses: string[]): Record<string, Call[]> {
  const found: Record<string, Call[]> = {};
  let calls: Call[] = [];
  let name: string | null = null;
  let next = 0;
  for (const line of text.split('\n')) {
    if (name === null && next < addresses.length && isAddress(line, addresses[next]!)) {
      calls = [];
      found[addresses[next]!] = calls;
      next++;
    } else if (line !== '' && name === null) {
      name = line;
    } else if (name !== null) {
      if (!name.startsWith('?') && calls.length < maxInlined) calls.push(toCall(name, line));
      name = null;
    }
  }
  return found;
}

function isAddress(line: string, address: string): boolean {
  return /^0x[0-9a-f]+$/i.test(line) && BigInt(line) === BigInt(address);
}

function toCall(name: string, place: string): Call {
  const [, file, line] = /^(.*?):(\d+|\?)/.exec(place) ?? [];
  return {
    function: name.slice(0, maxNameChars),
    file: file && !file.startsWith('?') ? file.slice(-maxNameChars) : null,
    line: Number(line) > 0 ? Number(line) : null,
  };
}
