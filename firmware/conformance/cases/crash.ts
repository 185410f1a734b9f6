import { strict as assert } from 'node:assert';
import type { Case } from '../case.ts';
import { kib, type Rig } from '../rig.ts';

interface Report extends Record<string, unknown> {
  boot?: { count: number; reason: string };
  crash?: { id: string; backtrace: string[] };
}

const reports = (rig: Rig): Report[] => rig.broker.of('status/health');

export const crashCases: Case[] = [
  {
    name: 'an image that crashes on trial is rolled back, and its last crash is told by the image that comes back, once',
    needsCrash: true,
    async run(rig) {
      await rig.start();
      const first = (await rig.broker.see('status/health', (it) => it.boot !== undefined)) as Report;
      const factory = rig.running.sha256;
      await rig.request(rig.publish(64 * kib, { selfTest: 'busy', crash: { afterMs: 200 } }));
      assert.equal((await rig.result()).outcome, 'rolled_back');
      assert.equal(rig.running.sha256, factory, 'it does not run the old image');
      const back = reports(rig)
        .filter(({ boot }) => boot)
        .at(-1)!;
      assert.equal(back.boot!.reason, 'rollback');
      assert.ok(back.crash, 'no report tells the crash');
      assert.notEqual(back.crash.backtrace.length, 0, 'it does not tell where');
      assert.equal(first.crash, undefined, 'it told a crash before there was one');
      const told = reports(rig).filter(({ boot, crash }) => boot && crash?.id === back.crash!.id);
      assert.equal(
        new Set(told.map(({ boot }) => boot!.count)).size,
        1,
        'more than one boot tells the same crash',
      );
      await rig.settle();
      const { count } = back.boot!;
      await rig.device.powerOff();
      await rig.start();
      const next = (await rig.broker.see(
        'status/health',
        (it) => ((it as Report).boot?.count ?? 0) > count,
      )) as Report;
      assert.equal(next.crash, undefined, 'it tells the crash again');
    },
  },
];
