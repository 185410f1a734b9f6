import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { whyNoBoard } from '../../.ci/board-sources.ts';
import { readHelp } from '../conformance/device.ts';
import { kib, openLab, Rig } from '../conformance/rig.ts';
import { runSuite } from '../conformance/suite.ts';
import { built, make } from '../make.ts';

const noBoard = whyNoBoard();
if (noBoard)
  process.stderr.write(`crashes and sealed images are NOT tried on an emulated board: ${noBoard}\n`);

describe.skipIf(noBoard)('the emulated board', { timeout: 120_000 }, () => {
  const command = fileURLToPath(new URL('flota-board', import.meta.url));
  beforeAll(() => make('board'), 600_000);

  it('tells after a fault of its processor what it was, and where, in addresses of its ELF', async () => {
    const lab = await openLab(command, await readHelp(command), null);
    const rig = await Rig.open(lab);
    try {
      await rig.start();
      await rig.request(rig.publish(64 * kib, { selfTest: 'busy', crash: { afterMs: 100 } }));
      await rig.result();
      const { crash } = (await rig.broker.see(
        'status/health',
        (it) => it.boot !== undefined && !!it.crash,
      )) as {
        crash: { reason: string; elf: string; pc: string; backtrace: string[] };
      };
      expect(crash.reason).toBe('undefined instruction (exception 3, CFSR 0x00010000)');
      const elf = built('flota-board.elf');
      expect(crash.elf).toBe(createHash('sha256').update(readFileSync(elf)).digest('hex'));
      expect(crash.backtrace[0]).toBe(crash.pc);
      const names = execFileSync('arm-none-eabi-addr2line', ['-f', '-e', elf, ...crash.backtrace]).toString();
      expect(names.split('\n').filter((_, i) => i % 2 === 0)).toEqual(['host_crash', 'host_live', '']);
      // Its machine was reset, and the emulator stayed.
      expect(rig.device.deaths).toBe(0);
    } finally {
      await rig.close();
      await lab.close();
    }
  });

  it('opens a sealed image, and runs it', async () => {
    const outcomes = await runSuite({ command, only: 'seal: a sealed image is opened' });
    expect(outcomes).toMatchObject([{ ok: true }]);
  });
});
