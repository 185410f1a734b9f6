/** How many dead letters an owner may bring at a time, in this copy: what a flood brings beyond it is counted and not written. */
export interface Amount {
  letters: number;
  bytes: number;
}

export interface Allowance {
  /** Whether a letter of this size may be written now. */
  take(owner: string, bytes: number, now: number): boolean;
}

const windowMs = 10_000;
const perDevice: Amount = { letters: 20, bytes: 256 * 1024 };
/** Of all who are no registered device, together. */
const shared: Amount = { letters: 200, bytes: 2 * 1024 * 1024 };

export function createAllowance(): Allowance {
  let spent = new Map<string, Amount>();
  let began = 0;
  return {
    take(owner, bytes, now) {
      if (now - began >= windowMs || now < began) [spent, began] = [new Map(), now];
      const mine = spent.get(owner) ?? { letters: 0, bytes: 0 };
      const most = owner === '' ? shared : perDevice;
      if (mine.letters + 1 > most.letters || mine.bytes + bytes > most.bytes) return false;
      spent.set(owner, { letters: mine.letters + 1, bytes: mine.bytes + bytes });
      return true;
    },
  };
}
