/** What came to pass in a schedule: one in which nothing goes wrong proves nothing. */
export interface Seen {
  devices: number;
  deployments: number;
  succeeded: number;
  otherwise: number;
  copiesDied: number;
  powerCuts: number;
  brokerRestarts: number;
  rolledBack: number;
  halts: number;
  joined: number;
  freezes: number;
  undos: number;
  /** Devices that an undo has taken back. */
  takenBack: number;
  /** Orders that nobody has signed for the device that got them. */
  forged: number;
}

export const nothingSeen = (): Seen => ({
  devices: 0,
  deployments: 0,
  succeeded: 0,
  otherwise: 0,
  copiesDied: 0,
  powerCuts: 0,
  brokerRestarts: 0,
  rolledBack: 0,
  halts: 0,
  joined: 0,
  freezes: 0,
  undos: 0,
  takenBack: 0,
  forged: 0,
});
