/** Intel HEX (Intel, "Hexadecimal Object File Format Specification", revision A, 1988). Imports nothing. */

const flashBytes = 64 * 1024;
/** §1: mark, length, address, type, data, checksum. */
const line = /:([0-9A-Fa-f]{10,520})(?:\r?\n|$)/y;

export interface HexFile {
  /** The first 64 KiB of address space, gaps as 0xFF, up to the last byte written. */
  program: Uint8Array;
  /** Of the first line that is no good record; of the one that is missing where the file ends without its end record. */
  damagedLine?: number;
}

/** Null if the first record of the text is not one. `isWhole`: it is all of the file, else its beginning, of which the last line may be cut off. */
export function readIntelHex(text: string, isWhole: boolean): HexFile | null {
  const flash = new Uint8Array(flashBytes).fill(0xff);
  let base = 0;
  let end = 0;
  let records = 0;
  let at = 0;
  line.lastIndex = 0;
  for (let match = line.exec(text); match; match = line.exec(text), records += 1) {
    const record = Uint8Array.from(match[1]!.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
    const data = record.subarray(4, -1);
    const sum = record.reduce((total, byte) => total + byte, 0);
    if (match[1]!.length % 2 || record[0] !== data.length || sum % 256 !== 0) break;
    const address = base + record[1]! * 256 + record[2]!;
    const word = (data[0] ?? 0) * 256 + (data[1] ?? 0);
    const type = record[3];
    if (type === 0 && address + data.length <= flashBytes) {
      flash.set(data, address);
      end = Math.max(end, address + data.length);
    }
    // The upper bits of the addresses that follow: by segment, linear.
    if (type === 2) base = word * 16;
    if (type === 4) base = word * 65_536;
    // What stands behind the end record is nobody's.
    if (type === 1) return { program: flash.slice(0, end) };
    at = line.lastIndex;
  }
  if (records === 0) return null;
  const isCutByUs = !isWhole && !text.includes('\n', at);
  return { program: flash.slice(0, end), ...(!isCutByUs && { damagedLine: records + 1 }) };
}
