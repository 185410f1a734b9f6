/**
 * Which ids a broker has listed, of a million connections too: 8 to 16 bytes each, as a number that is made of it. Two ids may have the same
 * number (one chance in billions for a whole list); the device that is gone is then missed this time, and with another seed the next.
 */
const slotsAtFirst = 1 << 12;

export interface ListedIds {
  add(id: string): void;
  has(id: string): boolean;
}

export function createListedIds(seed = Math.floor(Math.random() * 2 ** 32)): ListedIds {
  let slots = new Float64Array(slotsAtFirst);
  let used = 0;

  /** Where the number is, or the free slot where it belongs. */
  function find(number: number): number {
    let at = number % slots.length;
    while (slots[at] !== 0 && slots[at] !== number) at = (at + 1) % slots.length;
    return at;
  }
  function put(number: number): void {
    const at = find(number);
    if (slots[at] === number) return;
    slots[at] = number;
    used += 1;
  }

  return {
    add(id) {
      put(toNumber(id, seed));
      if (used * 2 <= slots.length) return;
      const old = slots;
      slots = new Float64Array(old.length * 2);
      used = 0;
      for (const number of old) if (number !== 0) put(number);
    },
    has: (id) => slots[find(toNumber(id, seed))] !== 0,
  };
}

/** 1 to 2^53 - 1: two multiplicative hashes of 32 bits side by side, mixed as MurmurHash3's end does. */
function toNumber(id: string, seed: number): number {
  let [one, other] = [0xdeadbeef ^ seed, 0x41c6ce57 ^ seed];
  for (let i = 0; i < id.length; i++) {
    const code = id.charCodeAt(i);
    one = Math.imul(one ^ code, 2_654_435_761);
    other = Math.imul(other ^ code, 1_597_334_677);
  }
  one = mix(one) ^ mix(other ^ one);
  other = mix(other) ^ mix(one ^ other);
  return (other & 0x1fffff) * 2 ** 32 + (one >>> 0) || 1;
}

function mix(n: number): number {
  const once = Math.imul(n ^ (n >>> 16), 2_246_822_507);
  return Math.imul(once ^ (once >>> 13), 3_266_489_909);
}
