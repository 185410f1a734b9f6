import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { packComponent, packLibrary } from './pack.ts';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('.', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'flota-component-'));
afterAll(() => rmSync(dir, { recursive: true }));

const examples = ['minimal', 'crowpanel'];

// The component's own sources are, as they are packed: below.
it('every source of the examples is type-correct against the functions of ESP-IDF 5.5 and 6.0 that it calls', async () => {
  const targets = ['test-examples', 'test-cxx', 'test-names', 'test-uses', 'test-host'];
  const { stdout } = await run('make', ['-s', '-j2', '-C', folder, ...targets], { maxBuffer: 1 << 24 });
  expect(stdout).toMatch(/ok - \d+ sources of the examples/);
  expect(stdout).toMatch(/ok - every one of \d+ global names/);
  expect(stdout).toMatch(/ok - every declared function is called/);
  expect(stdout).toMatch(/ok - dates of HTTP/);
}, 240_000);

it('clang-tidy finds nothing in them', async () => {
  const { stdout } = await run('make', ['-s', '-j2', '-C', folder, 'test-tidy'], { maxBuffer: 1 << 24 });
  expect(stdout).toMatch(/ok - clang-tidy finds nothing/);
}, 240_000);

it('the smallest program is short, and what Flota adds to it is shorter', () => {
  const source = readFileSync(join(folder, 'examples/minimal/main/main.c'), 'utf8');
  expect(source.split('\n').length).toBeLessThan(120);
  const readme = readFileSync(join(folder, 'flota/README.md'), 'utf8');
  const [, integration] = /```c\n([^`]*)```/.exec(readme)!;
  expect(integration!.trim().split('\n').length).toBeLessThanOrEqual(30);
});

describe('the packed component', () => {
  const archive = packComponent(dir);
  const root = join(dir, 'flota');

  it('compiles by itself, every source of it and of the agent, for ESP-IDF 5.5 and 6.0', async () => {
    await run('tar', ['-xzf', archive, '-C', dir]);
    expect(readdirSync(join(root, 'agent'))).toContain('ota_agent.h');
    const { stdout } = await run('make', ['-s', '-C', folder, 'test-component', `FLOTA=${root}`]);
    const sources = [join(folder, 'flota/src'), join(folder, '../agent')]
      .flatMap((from) => readdirSync(from))
      .filter((name) => name.endsWith('.c'));
    expect(stdout).toContain(
      `ok - ${sources.length} sources of the component are type-correct for ESP-IDF 5.5 and 6.0`,
    );
  }, 240_000);

  it('names only sources that it holds', async () => {
    const script = join(dir, 'register.cmake');
    // What ESP-IDF gives a component's CMakeLists.txt, and what it is told.
    writeFileSync(
      script,
      `set(CMAKE_BUILD_EARLY_EXPANSION TRUE)
set(CMAKE_CURRENT_LIST_DIR "${root}")
function(idf_component_register)
  cmake_parse_arguments(it "" "" "SRCS;INCLUDE_DIRS;PRIV_INCLUDE_DIRS;REQUIRES;PRIV_REQUIRES" \${ARGN})
  foreach(path IN LISTS it_SRCS it_INCLUDE_DIRS it_PRIV_INCLUDE_DIRS)
    message("\${path}")
  endforeach()
endfunction()
function(target_compile_options)
endfunction()
cmake_language(EVAL CODE "include(\\"${root}/CMakeLists.txt\\")")
`,
    );
    const { stderr } = await run('cmake', ['-P', script]);
    const paths = stderr.trim().split('\n');
    expect(paths).toContain('agent/ota_agent.c');
    expect(paths).toContain('include');
    for (const path of paths) expect(path).toMatch(/^(src|agent|include)(\/[a-z0-9_]+\.c)?$/);
  });

  it('has an example that finds it', () => {
    expect(readFileSync(join(root, 'examples/minimal/main/idf_component.yml'), 'utf8')).toMatch(
      /path: \.\.\/\.\.\/\.\.$/m,
    );
  });
});

it('the packed Arduino library and its sketch compile by themselves', async () => {
  await run('tar', ['-xzf', packLibrary(dir), '-C', dir]);
  const { stdout } = await run('make', ['-s', '-C', folder, 'test-arduino', `LIBRARY=${join(dir, 'Flota')}`]);
  expect(stdout).toMatch(/ok - the Arduino library/);
}, 240_000);

describe('a build that cannot work ends with one line', () => {
  const good = readFileSync(join(folder, 'examples/minimal/partitions.csv'), 'utf8');
  const config = {
    CONFIG_FLOTA_HARDWARE: 'pump-c',
    CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE: 'y',
    CONFIG_ESP_TASK_WDT_TIMEOUT_S: '60',
    CONFIG_FLOTA_START_WATCHED: 'y',
    CONFIG_BOOTLOADER_WDT_TIME_MS: '60000',
  };

  /** What the check says, '' when it is content. */
  async function check(change: Record<string, string>, partitions = good): Promise<string> {
    const table = join(dir, 'partitions.csv');
    writeFileSync(table, partitions);
    const set = Object.entries({ ...config, partition_table: table, ...change });
    const args = set.map(([name, value]) => `-D${name}=${value}`);
    return run('cmake', [...args, '-P', join(folder, 'flota/check.cmake')]).then(
      () => '',
      (error: { stderr: string }) =>
        /^ {2}(Flota: [\s\S]*?)\n\n/m.exec(error.stderr)?.[1]?.replace(/\s+/g, ' ') ?? error.stderr,
    );
  }

  it('and one that can is let through', async () => {
    expect(await check({})).toBe('');
  });

  it.each([
    [{ CONFIG_FLOTA_HARDWARE: '' }, /^Flota: CONFIG_FLOTA_HARDWARE is not set; put /],
    [{ CONFIG_FLOTA_HARDWARE: 'Pump C' }, /^Flota: CONFIG_FLOTA_HARDWARE="Pump C" may hold only/],
    [
      { CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE: '' },
      /^Flota: CONFIG_BOOTLOADER_APP_ROLLBACK_ENABLE=y is needed/,
    ],
    [{ CONFIG_ESP_TASK_WDT_TIMEOUT_S: '5' }, /^Flota: CONFIG_ESP_TASK_WDT_TIMEOUT_S must be 30 or more/],
    [
      { CONFIG_BOOTLOADER_WDT_TIME_MS: '9000' },
      /^Flota: CONFIG_BOOTLOADER_WDT_TIME_MS must be 30000 or more/,
    ],
    [{ partition_table: '/nowhere.csv' }, /^Flota: there is no partition table/],
  ])('when the configuration is %j', async (change, line) => {
    expect(await check(change)).toMatch(line);
  });

  it.each([
    ['has one slot only', good.replace(/^ota_1.*$/m, ''), /needs two slots/],
    ['has no otadata', good.replace(/^otadata.*$/m, ''), /needs two slots .* and otadata/],
    [
      'has slots of two sizes',
      good.replace('0x210000, 0x1e0000', '0x210000, 0x1d0000'),
      /ota_0 has 1966080 bytes and ota_1 1900544/,
    ],
    ['has slots that are too small', good.replaceAll('0x1e0000', '512K'), /slots have 524288 bytes/],
    ['has too little NVS', good.replace('0x21000', '0x6000'), /nvs has less than 0x10000/],
  ])('when the partition table %s', async (_, partitions, line) => {
    expect(await check({}, partitions)).toMatch(line);
  });
});

it.each(examples)(
  'partitions of %s fit 4 MiB, do not overlap, and both slots are equally large and aligned to 64 KiB',
  async (example) => {
    const rows = (await readFile(join(folder, 'examples', example, 'partitions.csv'), 'utf8'))
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
  },
);
