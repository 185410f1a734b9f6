import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { Random } from '#deploy/lab/primitives/random.ts';
import { findImageProblems, hardwareOf, headBytes, type Image, readImage } from './image.ts';
import { espImage, mcubootImage } from './testing-images.ts';

const fixture = (name: string) => readFileSync(new URL(`fixtures/${name}`, import.meta.url));
const hex = (...records: string[]) => Buffer.from(`${records.join('\r\n')}\r\n`);

describe('an image', () => {
  test('of ESP-IDF says its chip, version, project, IDF and the digest of its ELF', () => {
    const fields = {
      version: 'v1.4.0-3-gabc',
      project: 'thermostat',
      securityVersion: 7,
      idf: 'v5.5.1',
      elfSha256: 'a5'.repeat(32),
    };
    expect(readImage(espImage(0x0009, fields))).toEqual({ format: 'esp-idf', chip: 'esp32-s3', ...fields });
    const view = Buffer.concat([Buffer.alloc(3), espImage(0x0000, { version: '1' })]).subarray(3);
    expect(readImage(view)).toEqual({ format: 'esp-idf', chip: 'esp32', version: '1' });
    expect(readImage(espImage(9, { securityVersion: 2 ** 31 }))).not.toHaveProperty('securityVersion');
    expect(readImage(espImage(0x0020)).chip).toBe('esp chip 0x0020');
  });

  test('of ESP-IDF with all 32 bytes of a version ends it there; what is not text is no version', () => {
    expect(readImage(espImage(9, { version: '1'.repeat(32), project: 'p' })).version).toBe('1'.repeat(32));
    expect(readImage(espImage(9, { version: '1\u0007' })).version).toBeUndefined();
  });

  test('that is a boot loader, without a description, or cut off within it, says nothing', () => {
    const image = espImage(9, { version: '1' });
    expect(readImage(image.subarray(0, 287))).toEqual({ format: 'plain' });
    image.writeUInt32LE(0, 32);
    expect(readImage(image)).toEqual({ format: 'plain' });
  });

  test('of MCUboot says its version, with the build number if there is one; 0.0.0 is none', () => {
    expect(readImage(mcubootImage(1, 2, 300))).toEqual({ format: 'mcuboot', version: '1.2.300' });
    expect(readImage(mcubootImage(255, 2, 3, 70_000)).version).toBe('255.2.3+70000');
    expect(readImage(mcubootImage(0, 0, 0))).toEqual({ format: 'mcuboot' });
    expect(readImage(mcubootImage(1, 2, 3).subarray(0, 31))).toEqual({ format: 'plain' });
  });

  test('of the Uno, built by firmware/arduino, says its version as a binary and as Intel HEX', () => {
    const said = { chip: 'avr', version: '1.4.2' };
    expect(readImage(fixture('flota_uno-1.4.2.bin'))).toEqual({ format: 'avr', ...said });
    expect(readImage(fixture('flota_uno-1.4.2.hex'))).toEqual({ format: 'intel-hex', ...said });
  });

  test('in Intel HEX of another controller, or with a wrong first checksum, says no version', () => {
    const record = ':10010000214601360121470136007EFE09D2190140';
    const end = ':00000001FF';
    expect(readImage(hex(record, end))).toEqual({ format: 'intel-hex' });
    // Above 64 KiB, where nothing is read: linear and segment addresses.
    expect(readImage(hex(':020000040800F2', record, ':020000021200EA', record, end))).toEqual({
      format: 'intel-hex',
    });
    expect(readImage(hex(record.replace(/40$/, '41')))).toEqual({ format: 'plain' });
    expect(readImage(hex(':'))).toEqual({ format: 'plain' });
  });

  test('in Intel HEX tells the line that is damaged, and the one after which it is cut off', () => {
    const text = fixture('flota_uno-1.4.2.hex').toString('latin1');
    const lines = text.split('\r\n');
    const damaged = (changed: string[]) =>
      findImageProblems(readImage(Buffer.from(changed.join('\r\n'))), {
        version: '1.4.2',
        hardware: 'my-uno',
      });
    const at = (line: string) => [{ code: 'image_hex_damaged', values: { line } }];
    expect(damaged(lines)).toEqual([]);
    expect(damaged([...lines, '', 'what stands behind the end is nobody’s'])).toEqual([]);
    expect(damaged(lines.with(99, lines[99]!.replace(/..$/, '00')))).toEqual(at('100'));
    expect(damaged(lines.with(99, ''))).toEqual(at('100'));
    expect(damaged(lines.slice(0, 100))).toEqual(at('101'));
    expect(damaged([...lines.slice(0, 100), ''])).toEqual(at('101'));
    expect(damaged([...lines.slice(0, 100), lines[100]!.slice(0, 20)])).toEqual(at('101'));
    // Of a file that is longer than its head only what is in the head can be told.
    const record = ':10010000214601360121470136007EFE09D2190140';
    const long = Array.from({ length: 4_000 }, () => record);
    expect(damaged(long)).toEqual([]);
    expect(damaged(long.with(50, ':00'))).toEqual(at('51'));
  });

  test('that has no such header, or nothing at all, is plain', () => {
    for (const bytes of [Buffer.from('FLOTA-VIRTUAL 1.0.0'), Buffer.alloc(0), Buffer.alloc(9, 0xe9)]) {
      expect(readImage(bytes)).toEqual({ format: 'plain' });
    }
  });

  test.each([
    ['PNG', '89504e470d0a1a0a'],
    ['JPEG', 'ffd8ffe1'],
    ['GIF', '474946383961'],
    ['ZIP', '504b0304'],
    ['ELF', '7f454c46'],
    ['PDF', '255044462d'],
  ])('that is a %s is not one', (kind, bytes) => {
    const image = readImage(Buffer.from(bytes, 'hex'));
    expect(image).toEqual({ format: 'other', kind });
    expect(findImageProblems(image, { version: '1' })).toEqual([
      { code: 'image_not_firmware', values: { kind } },
    ]);
  });

  test('whatever the bytes, something is returned, of what lies in the head only', () => {
    const random = new Random(20261129);
    const seeds = [
      espImage(9, { version: '1.0', project: 'p', idf: 'v5' }),
      mcubootImage(1, 2, 3),
      fixture('flota_uno-1.4.2.hex'),
      fixture('flota_uno-1.4.2.bin'),
    ];
    const formats = new Set<Image['format']>();
    for (let run = 0; run < 4000; run += 1) {
      const bytes = Buffer.from(random.pick(seeds));
      for (let n = random.int(0, 4); n > 0; n -= 1)
        bytes[random.int(0, bytes.length - 1)] = random.int(0, 255);
      const image = readImage(bytes.subarray(0, random.int(0, bytes.length)));
      formats.add(image.format);
      expect(image.version ?? '1').toMatch(/^[^\p{C}]{1,32}$/u);
      findImageProblems(image, { version: '1', hardware: 'esp32-s3' });
    }
    expect([...formats].sort()).toEqual(['avr', 'esp-idf', 'intel-hex', 'mcuboot', 'plain']);
    const noise = new Uint8Array(headBytes * 2);
    random.fill(noise);
    noise[0] = 0x3a;
    expect(readImage(noise)).toEqual({ format: 'plain' });
  });
});

describe('registering an image', () => {
  const c3 = readImage(espImage(0x0005, { version: '1.4.0' }));
  const problem = (image: Image, version: string, hardware?: string) =>
    findImageProblems(image, { version, hardware })[0]?.code ?? null;

  test('goes under its own version only; MCUboot’s build number may be left out', () => {
    expect(problem(c3, '1.4.0')).toBe(null);
    expect(['1.4', 'v1.4.0', '1.4.1'].map((version) => problem(c3, version))).toEqual(
      Array(3).fill('image_version_differs'),
    );
    const zephyr = readImage(mcubootImage(1, 2, 3, 4));
    expect(['1.2.3', '1.2.3+4', '1.2.3+5'].map((version) => problem(zephyr, version))).toEqual([
      null,
      null,
      'image_version_differs',
    ]);
    expect(problem({ format: 'plain' }, 'anything')).toBe(null);
  });

  test('is refused where the hardware’s name begins with another chip, and nowhere else', () => {
    const refused = ['esp32', 'esp32-s3', 'ESP32-S3-box', 'esp32s3', 'esp32-c6', 'esp32-c61'];
    expect(refused.map((name) => problem(c3, '1.4.0', name))).toEqual(
      refused.map(() => 'image_chip_differs'),
    );
    const taken = ['esp32-c3', 'esp32c3-devkit', 'esp32-box', 'esp32-s3r8', 'thermostat-2', 'my-esp32-s3'];
    expect(taken.map((name) => problem(c3, '1.4.0', name))).toEqual(taken.map(() => null));
    const unknown = readImage(espImage(0x0020));
    expect(problem(unknown, '1', 'esp32-s3')).toBe('image_chip_differs');
  });

  test('as Intel HEX is refused for an Uno, whose installer takes binaries, and stored as it is for anything else', () => {
    const sketch = readImage(fixture('flota_uno-1.4.2.hex'));
    expect(problem(sketch, '1.4.2')).toBe('image_is_hex');
    expect(problem(sketch, '1.4.2', 'arduino-uno')).toBe('image_is_hex');
    expect(problem({ format: 'intel-hex' }, '1', 'arduino-uno')).toBe('image_is_hex');
    expect(problem(sketch, '1.4.2', 'my-own-uno')).toBe(null);
    expect(problem({ format: 'intel-hex' }, '1', 'stm32f4')).toBe(null);
  });

  test('says what it is for', () => {
    const uno = readImage(fixture('flota_uno-1.4.2.bin'));
    expect([c3, uno, readImage(espImage(0x0020)), readImage(mcubootImage(1, 2, 3))].map(hardwareOf)).toEqual([
      'esp32-c3',
      'arduino-uno',
      undefined,
      undefined,
    ]);
    expect(problem(uno, '1.4.2', 'esp32-s3')).toBe('image_chip_differs');
    expect(problem(uno, '1.4.2', 'arduino-uno')).toBe(null);
  });
});
