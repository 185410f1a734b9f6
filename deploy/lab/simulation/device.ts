import type { JSONWebKeySet } from 'jose';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';
export class SimulatedDevice {
  ran = new Set<string>(); isOnline = false; powerCuts = 0; isSettled = true; running = '';
  constructor(_: { id: string; hardware: string; time: VirtualTime; random: Random; broker: unknown; http: unknown; signingKeys: JSONWebKeySet; powerCutAtWrite: () => number | null; log: (t: string) => void }) {}
  powerOn() {}
  async close() {}
}
