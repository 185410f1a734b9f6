/** Where an ELF has code, by its program headers (System V ABI, gABI 4.1: "Program Header"). Total: any bytes return ranges. */

/** `end` is the address after the last. */
export interface CodeRange {
  start: bigint;
  end: bigint;
}

const [ptLoad, pfExecutable] = [1, 1];
/** More segments has no program of ours. */
const maxSegments = 256;

/** `head`: the beginning of the file, with its program headers. Empty when there are none that can be read. */
export function codeRangesOf(head: Uint8Array): CodeRange[] {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  try {
    const is64 = view.getUint8(4) === 2;
    const little = view.getUint8(5) !== 2;
    const word = (at: number) => (is64 ? view.getBigUint64(at, little) : BigInt(view.getUint32(at, little)));
    const first = Number(word(is64 ? 32 : 28));
    const bytes = view.getUint16(is64 ? 54 : 42, little);
    const count = Math.min(view.getUint16(is64 ? 56 : 44, little), maxSegments);
    return Array.from({ length: count }, (_, i) => first + i * bytes).flatMap((at) => {
      const flags = view.getUint32(at + (is64 ? 4 : 24), little);
      if (view.getUint32(at, little) !== ptLoad || (flags & pfExecutable) === 0) return [];
      const start = word(at + (is64 ? 16 : 8));
      return [{ start, end: start + word(at + (is64 ? 40 : 20)) }];
    });
  } catch {
    return [];
  }
}
