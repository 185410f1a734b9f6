/** The Flota that an experiment runs against. */
export interface System {
  url: string;
  token: string;
  mqttUrl: string;
  /** PEM of the roots and issuing CAs. */
  trust: string;
  signingKeys: { keys: object[] };
  /** Takes a part away for so long; null where the system is not ours to break. */
  outage: ((part: 'broker' | 'store', downMs: number) => Promise<void>) | null;
  /** Rejects when the system has ended by itself. */
  failed: Promise<never>;
  close(): Promise<void>;
}
