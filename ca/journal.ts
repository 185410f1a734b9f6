import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from './durable-files.ts';

/** Where a line begins: the segment (an index into this process's list) and its byte. */
export interface Place {
  segment: number;
  offset: number;
}

interface Waiting {
  line: string;
  resolve(place: Place): void;
  reject(error: unknown): void;
}

const readChunkBytes = 1024 * 1024;
const lineGuessBytes = 4096;
/** Not all that wait: while some are on their way to the disk, the others are signed. */
const groupLines = 128;

/**
 * Lines of ASCII text that survive a power cut once append() has resolved. Appends that wait at the same time share one write and one
 * fsync. Every process writes a segment of its own and reads all of them, so a torn tail is never written behind: it stays
 * the last line of its file, and had not been confirmed to anybody.
 */
export class Journal {
  readonly #dir: string;
  readonly #segments: { name: string; read: number }[] = [];
  /** The handle is open while there is something to write, so that nobody has to close a journal. */
  #own: { handle: FileHandle | null; segment: number; size: number } | undefined;
  #queue: Waiting[] = [];
  #flushing = false;

  constructor(dir: string) {
    this.#dir = dir;
  }

  append(line: string): Promise<Place> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ line, resolve, reject });
      if (!this.#flushing) void this.#flush();
    });
  }

  /** Calls back for every whole line that was not read before, also of other processes. Lines of our own count as read. */
  async readNew(onLine: (line: string, place: Place) => void): Promise<void> {
    const names = (await readdir(this.#dir).catch(emptyIfMissing)).filter((name) => name.endsWith('.log'));
    for (const name of names.sort()) {
      if (!this.#segments.some((known) => known.name === name)) this.#segments.push({ name, read: 0 });
    }
    for (let segment = 0; segment < this.#segments.length; segment += 1) {
      if (segment !== this.#own?.segment) await this.#readSegment(segment, onLine);
    }
  }

  async read({ segment, offset }: Place): Promise<string> {
    const handle = await open(join(this.#dir, this.#segments[segment]!.name), 'r');
    try {
      let bytes = Buffer.alloc(0);
      for (;;) {
        const chunk = Buffer.allocUnsafe(lineGuessBytes);
        const { bytesRead } = await handle.read(chunk, 0, lineGuessBytes, offset + bytes.length);
        bytes = Buffer.concat([bytes, chunk.subarray(0, bytesRead)]);
        const end = bytes.indexOf(0x0a);
        if (end >= 0 || bytesRead === 0) return bytes.toString('latin1', 0, end >= 0 ? end : bytes.length);
      }
    } finally {
      await handle.close();
    }
  }

  async #flush(): Promise<void> {
    this.#flushing = true;
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, groupLines);
      try {
        const own = this.#own ?? (await this.#start());
        this.#own = own;
        own.handle ??= await open(join(this.#dir, this.#segments[own.segment]!.name), 'a');
        const bytes = Buffer.from(group.map(({ line }) => `${line}\n`).join(''), 'latin1');
        // All of it: write() takes what fits on a disk that is nearly full, and calls that done.
        await own.handle.writeFile(bytes);
        await own.handle.datasync();
        for (const { line, resolve } of group) {
          resolve({ segment: own.segment, offset: own.size });
          own.size += line.length + 1;
        }
      } catch (error) {
        // How much of it reached the file is unknown (a full disk, say): what follows goes into a new one.
        const broken = this.#own;
        this.#own = undefined;
        await broken?.handle?.close().catch(() => undefined);
        for (const { reject } of group) reject(error);
      }
      if (this.#queue.length === 0) await this.#rest();
    }
    this.#flushing = false;
  }

  /** All is on the disk by then; what has come meanwhile opens it again. */
  async #rest(): Promise<void> {
    const handle = this.#own?.handle;
    if (!this.#own || !handle) return;
    this.#own.handle = null;
    await handle.close().catch(() => undefined);
  }

  async #start() {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const name = `${Date.now()}-${randomBytes(6).toString('hex')}.log`;
    const handle = await open(join(this.#dir, name), 'ax', 0o600);
    await syncDirectory(this.#dir);
    await syncDirectory(join(this.#dir, '..'));
    const segment = this.#segments.push({ name, read: 0 }) - 1;
    return { handle, segment, size: 0 };
  }

  async #readSegment(segment: number, onLine: (line: string, place: Place) => void): Promise<void> {
    const known = this.#segments[segment]!;
    const handle = await open(join(this.#dir, known.name), 'r');
    try {
      let rest = Buffer.alloc(0);
      let position = known.read;
      for (;;) {
        const chunk = Buffer.allocUnsafe(readChunkBytes);
        const { bytesRead } = await handle.read(chunk, 0, readChunkBytes, position);
        if (bytesRead === 0) return;
        position += bytesRead;
        rest = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
        let from = 0;
        for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, from)) {
          onLine(rest.toString('latin1', from, end), { segment, offset: known.read });
          known.read += end + 1 - from;
          from = end + 1;
        }
        rest = rest.subarray(from);
      }
    } finally {
      await handle.close();
    }
  }
}

function emptyIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
