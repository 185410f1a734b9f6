/** What the runner and a process full of devices say to each other. */
import type { Running } from '#emqx/protocol.ts';
import type { Stats } from '#firmware/virtual/device.ts';
import type { ExperimentOptions } from './options.ts';
import type { DevicePlan } from './plan.ts';

export interface Crew {
  /** `name` is the same in every run, `id` is not. */
  devices: { id: string; name: string; dir: string; plan: DevicePlan }[];
  experiment: ExperimentOptions;
  hardware: string;
  mqttUrl: string;
  trust: string;
  signingKeys: { keys: object[] };
}

export type Order =
  | { do: 'start'; crew: Crew }
  /** What devices did until now is not counted. */
  | { do: 'measure' }
  /** The update is about to be deployed: disconnects, nights and power cuts begin. */
  | { do: 'disturb' }
  /** Every device loses its power for so long, or one of so many. */
  | { do: 'power'; offMs: number; every?: number }
  | { do: 'stop' };

/** One device, as it was when it was stopped. */
export interface DeviceReport {
  id: string;
  online: boolean;
  running: Running | null;
  bootCount: number;
  /** All its attempts together. */
  stats: Stats;
  outcomes: string[];
  interruptions: number;
  renewals: number;
  messages: number;
  progressMessages: number;
  /** ms since 1970 of the last result; null: none. */
  endedAt: number | null;
}

export interface Sample {
  online: number;
  /** Bytes of images that have arrived, and results sent, since the start. */
  receivedBytes: number;
  results: number;
  /** Ids of those with a result, new since the last sample. */
  ended: string[];
}

export type News =
  | { news: 'up' }
  | { news: 'sample'; sample: Sample }
  | { news: 'stopped'; devices: DeviceReport[]; peakBytes: number; processorMs: number };
