import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('.', import.meta.url));

it('every source of the ESP32 is type-correct against the ESP-IDF functions that it calls', async () => {
  const { stdout } = await run('make', ['-s', '-C', folder, 'test'], { maxBuffer: 1 << 24 });
  expect(stdout).toMatch(/ok - \d+ sources of the ESP32/);
  expect(stdout).toMatch(/ok - every declared function is called/);
}, 60_000);

it('the partitions fit 4 MiB, do not overlap, and both slots are equally large and aligned to 64 KiB', async () => {
  const rows = (await readFile(`${folder}partitions.csv`, 'utf8'))
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .map(([name, type, subtype, offset, size]) => ({
      name,
      type,
      subtype,
      offset: Number(offset),
      size: Number(size),
    }));
  const slots = rows.filter((row) => row.type === 'app');
  expect(slots.map((slot) => slot.subtype)).toEqual(['ota_0', 'ota_1']);
  expect(slots[0]?.size).toBe(slots[1]?.size);
  for (const slot of slots) expect(slot.offset % 0x10000).toBe(0);
  expect(rows.find((row) => row.subtype === 'ota')?.size).toBe(0x2000);
  let end = 0x9000;
  for (const row of rows) {
    expect(row.offset, row.name).toBeGreaterThanOrEqual(end);
    end = row.offset + row.size;
  }
  expect(end).toBeLessThanOrEqual(4 * 1024 * 1024);
});
