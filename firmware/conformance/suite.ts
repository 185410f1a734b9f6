/** Puts a device through the cases, one after the other, and says how each ended. */
import { strict as assert } from 'node:assert';
import type { Case } from './case.ts';
import { bootCases } from './cases/boot.ts';
import { cancelCases } from './cases/cancel.ts';
import { certificateCases } from './cases/certificate.ts';
import { crashCases } from './cases/crash.ts';
import { deferCases } from './cases/defer.ts';
import { deltaCases } from './cases/delta.ts';
import { downloadCases } from './cases/download.ts';
import { orderCases } from './cases/order.ts';
import { powerCases } from './cases/power.ts';
import { refusalCases } from './cases/refusal.ts';
import { sealCases } from './cases/seal.ts';
import { storageCases } from './cases/storage.ts';
import { undoCases } from './cases/undo.ts';
import { readHelp } from './device.ts';
import { type Lab, openLab, Rig } from './rig.ts';

export interface Outcome {
  group: string;
  name: string;
  ok: boolean;
  ms: number;
  /** Of a case that failed: what did not hold, and the last that the device printed. */
  problem?: string;
  output?: string;
}

export const groups: Record<string, Case[]> = {
  download: downloadCases,
  refusal: refusalCases,
  order: orderCases,
  cancel: cancelCases,
  defer: deferCases,
  boot: bootCases,
  crash: crashCases,
  undo: undoCases,
  delta: deltaCases,
  seal: sealCases,
  power: powerCases,
  storage: storageCases,
  certificate: certificateCases,
};

/** Rejects when the device cannot be run or enrolled at all. */
export async function runSuite(input: {
  /** Understands the options of `npm run device`. */
  command: string;
  short?: boolean;
  /** `lossy.so`, for a device that takes it (dynamically linked, storage through the C library); the cases that need it are left out otherwise. */
  lossy?: string | undefined;
  /** Only cases whose group or name holds this text. */
  only?: string;
  onOutcome?: (outcome: Outcome) => void;
}): Promise<Outcome[]> {
  const help = await readHelp(input.command);
  const lab = await openLab(input.command, help, input.lossy ?? null);
  const outcomes: Outcome[] = [];
  try {
    for (const [group, cases] of Object.entries(groups)) {
      for (const one of cases) {
        if (input.short && !one.short) continue;
        if (one.needsLossyStorage && !input.lossy) continue;
        if (one.needsHold && !lab.canHold) continue;
        if (one.needsCrash && !lab.crashes) continue;
        if (one.needsPatches && !lab.takesPatches) continue;
        if (one.needsCompressed && !lab.takesCompressed) continue;
        if (one.needsSealed && !lab.opensSealed) continue;
        if (input.only && !`${group}: ${one.name}`.includes(input.only)) continue;
        const outcome = await runCase(lab, group, one);
        outcomes.push(outcome);
        input.onOutcome?.(outcome);
      }
    }
  } finally {
    await lab.close();
  }
  return outcomes;
}

async function runCase(lab: Lab, group: string, one: Case): Promise<Outcome> {
  const startedAt = Date.now();
  const rig = await Rig.open(lab);
  const outcome = { group, name: one.name };
  try {
    await one.run(rig);
    assert.deepEqual(rig.broker.violations, [], 'it published against the protocol');
    return { ...outcome, ok: true, ms: Date.now() - startedAt };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return {
      ...outcome,
      ok: false,
      ms: Date.now() - startedAt,
      problem,
      output: rig.device.output.slice(-4000),
    };
  } finally {
    await rig.close();
  }
}
