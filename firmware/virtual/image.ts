import type { CrashSummary } from './agent-port.ts';

/**
 * The demo firmware format: a magic line, one line of JSON, then a body that does not compress. Slots take any bytes;
 * only an image in this format can ask for its own self-test to fail.
 */
const magic = 'FLOTA-IMAGE 1\n';
const headerMaxBytes = 512;

export interface ImageHeader {
  version: string;
  /** What the self-test of the booted image will say; `busy`: it never comes to a verdict. */
  selfTest: 'pass' | 'fail' | 'busy';
  /** How much heap it loses in a second while it runs. */
  leakBytesPerS?: number;
  /** It crashes so long after each boot, and leaves this summary. */
  crash?: Partial<CrashSummary> & { afterMs: number };
}

/** Builds an image of exactly `sizeBytes` (at least 512); the same arguments give the same bytes. */
export function buildImage(input: ImageHeader & { sizeBytes: number; seed: number }): Buffer {
  if (input.sizeBytes < headerMaxBytes) throw new RangeError(`an image has at least ${headerMaxBytes} bytes`);
  const image = Buffer.allocUnsafe(input.sizeBytes);
  fillPseudoRandom(image, input.seed);
  const { version, selfTest, leakBytesPerS, crash } = input;
  const header = `${magic}${JSON.stringify({ version, selfTest, leakBytesPerS, crash })}\n`;
  if (Buffer.byteLength(header) > headerMaxBytes) throw new RangeError('the version is too long');
  image.write(header, 0);
  return image;
}

export const factoryVersion = '0.0.0';

/** What every device has in its first slot when it is new. */
export function buildFactoryImage(): Buffer {
  return buildImage({ version: factoryVersion, sizeBytes: 1024, selfTest: 'pass', seed: 0 });
}

/** Reads the header from the first bytes of an image; null when it is in another format. */
export function parseImageHeader(start: Uint8Array): ImageHeader | null {
  const text = Buffer.from(start.subarray(0, headerMaxBytes)).toString('latin1');
  if (!text.startsWith(magic)) return null;
  const end = text.indexOf('\n', magic.length);
  if (end < 0) return null;
  try {
    const header = JSON.parse(Buffer.from(text.slice(magic.length, end), 'latin1').toString('utf8'));
    if (typeof header?.version !== 'string') return null;
    const leak = typeof header.leakBytesPerS === 'number' ? header.leakBytesPerS : 0;
    const { selfTest, crash } = header;
    return {
      ...{
        version: header.version,
        selfTest: selfTest === 'fail' || selfTest === 'busy' ? selfTest : 'pass',
      },
      ...(leak > 0 && { leakBytesPerS: leak }),
      ...(typeof crash?.afterMs === 'number' && { crash }),
    };
  } catch {
    return null;
  }
}

/** xorshift32: fast, seeded, and noise enough that nothing on the way compresses it. */
function fillPseudoRandom(target: Buffer, seed: number): void {
  let x = (seed ^ 0x9e3779b9) | 0 || 1;
  const next = () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x;
  };
  const whole = target.length & ~3;
  for (let offset = 0; offset < whole; offset += 4) target.writeInt32LE(next(), offset);
  for (let offset = whole; offset < target.length; offset++) target[offset] = next() & 0xff;
}
