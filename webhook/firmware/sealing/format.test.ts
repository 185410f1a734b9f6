import { createDecipheriv, createECDH, createHash, type ECDH } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { chunkBytes, headerBytes, open, seal, sealedBytes, sealUnder, wrapFor, wrapInfo } from './format.ts';
import { schedule } from './hpke.ts';

const deployment = '7b0d2f0e-3f43-4f5b-9f0a-0d6a5c1e2f30';
const sha256 = '33'.repeat(32);
const key = Buffer.alloc(32, 0x44);

function keyPair(byte: number): ECDH {
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(Buffer.alloc(32, byte));
  return pair;
}
const device = keyPair(0x11);

async function* inPieces(bytes: Buffer, length = 1000) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}
const pattern = (bytes: number) => Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + 3) & 255));
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const openAll = (sealed: Buffer, size: number, by = key) => buffer(open(inPieces(sealed), by, size));

/** As a device does it. */
function unwrap(fragment: string, pair: ECDH, info: Buffer): Buffer {
  const bytes = Buffer.from(fragment.replace('#seal1=', ''), 'base64url');
  const enc = bytes.subarray(0, 65);
  const { key: wrapping, nonce } = schedule(pair.computeSecret(enc), enc, pair.getPublicKey(), info);
  const decipher = createDecipheriv('aes-256-gcm', wrapping, nonce).setAuthTag(bytes.subarray(-16));
  return Buffer.concat([decipher.update(bytes.subarray(65, -16)), decipher.final()]);
}

describe('sealed objects', () => {
  it('are what the specification says, byte by byte', async () => {
    const small = await buffer(sealUnder(key, inPieces(Buffer.from('hello flota')), 11).stream);
    expect(small.toString('hex')).toBe(
      '464c4f544153450100001000000000000000000b05049059e486948fab68c06938c6fc8edd389857c0394f5902e9eb',
    );
    const vectors = {
      4096: '974b0ebf416415561e15aefe57eed8851f9bdeb5c594cfc71771362dd69116f8',
      8192: 'b64b666c7567bf704cf53a471f16ccf04348ab91c9badafea711c6faa6cdefe8',
      10000: '952fbb28ef1c241522f8c39e921b896ca7f8644d2b89f9b7692fb9e07fc16e26',
    };
    for (const [size, expected] of Object.entries(vectors)) {
      const sealed = await buffer(sealUnder(key, inPieces(pattern(+size)), +size).stream);
      expect(sealed.length).toBe(sealedBytes(+size));
      expect(digest(sealed)).toBe(expected);
    }
  });

  it('open to what was sealed, of any size and however they come', async () => {
    for (const size of [1, 4095, 4096, 4097, 20_000]) {
      const plain = pattern(size);
      const sealing = seal(inPieces(plain, 999), size);
      const sealed = await buffer(sealing.stream);
      expect(sealing.digest()).toBe(digest(plain));
      expect(await buffer(open(inPieces(sealed, 7), sealing.key, size))).toEqual(plain);
    }
  });

  it('never share a key', () => {
    const [one, other] = [seal(inPieces(pattern(10)), 10), seal(inPieces(pattern(10)), 10)];
    expect(one.key).not.toEqual(other.key);
  });

  it('are not opened when anything about them is another', async () => {
    const size = 3 * chunkBytes;
    const sealed = await buffer(sealUnder(key, inPieces(pattern(size)), size).stream);
    const chunk = (n: number) =>
      sealed.subarray(headerBytes + n * (chunkBytes + 16), headerBytes + (n + 1) * (chunkBytes + 16));
    const header = sealed.subarray(0, headerBytes);
    const longer = await buffer(sealUnder(key, inPieces(pattern(size + 1)), size + 1).stream);
    const flipped = (at: number) => {
      const copy = Buffer.from(sealed);
      copy[at]! ^= 1;
      return copy;
    };
    const misused: Record<string, Buffer> = {
      'two chunks swapped': Buffer.concat([header, chunk(1), chunk(0), chunk(2)]),
      'a chunk twice': Buffer.concat([header, chunk(0), chunk(0), chunk(2)]),
      'the last chunk left out': sealed.subarray(0, -(chunkBytes + 16)),
      'the end cut off': sealed.subarray(0, -1),
      'more behind the end': Buffer.concat([sealed, chunk(2)]),
      'a chunk of a longer object under the same key': Buffer.concat([
        header,
        chunk(0),
        longer.subarray(headerBytes + chunkBytes + 16, headerBytes + 2 * (chunkBytes + 16)),
        chunk(2),
      ]),
      'a bit of the header': flipped(9),
      'a bit of the first chunk': flipped(headerBytes),
      'a bit of a tag': flipped(sealed.length - 1),
      'the plain image': pattern(size),
      nothing: Buffer.alloc(0),
    };
    for (const [what, bytes] of Object.entries(misused))
      await expect(openAll(bytes, size), what).rejects.toThrow();
    await expect(openAll(sealed, size + 1)).rejects.toThrow();
    await expect(openAll(sealed, size, Buffer.alloc(32, 0x45))).rejects.toThrow();
    expect(await openAll(sealed, size)).toEqual(pattern(size));
  });

  it('are not made of a source of another size', async () => {
    await expect(buffer(seal(inPieces(pattern(9)), 10).stream)).rejects.toThrow('9 bytes');
    await expect(buffer(seal(inPieces(pattern(5000)), 10).stream)).rejects.toThrow('not 10');
  });
});

describe('the key of an object, wrapped for a device', () => {
  const wrapped = wrapFor(device.getPublicKey(), { key, deployment, sha256 }, keyPair(0x22));
  const info = wrapInfo(deployment, sha256);

  it('is what the specification says', () => {
    expect(wrapped).toBe(
      '#seal1=BNZak5d8qj0bCBhS_1ennkZfFmBXcwS66tUF3TpIWJzzUBheiVNy32Ih6joTdVfkc_3bZ1XwW9UHw8Uz_OnJEoUq8qpffaICnuZNPYJ8g5rGR6vi7rN_Hgc3_hZfm5bAnPaKDT-54-iiIURLUucunGY',
    );
    expect(unwrap(wrapped, device, info)).toEqual(key);
  });

  it('is another one each time', () => {
    const once = () => wrapFor(device.getPublicKey(), { key, deployment, sha256 });
    expect(once()).not.toBe(once());
    expect(unwrap(once(), device, info)).toEqual(key);
  });

  it('is of no use to another device, for another deployment or image, or with a bit flipped', () => {
    expect(() => unwrap(wrapped, keyPair(0x12), info)).toThrow();
    expect(() => unwrap(wrapped, device, wrapInfo(deployment.replace('7', '8'), sha256))).toThrow();
    expect(() => unwrap(wrapped, device, wrapInfo(deployment, '34'.repeat(32)))).toThrow();
    expect(() => unwrap(`${wrapped.slice(0, -30)}A${wrapped.slice(-29)}`, device, info)).toThrow();
  });

  it('is not made for what is no point of the curve', () => {
    const point = device.getPublicKey();
    point[64]! ^= 1;
    expect(() => wrapFor(point, { key, deployment, sha256 })).toThrow();
  });
});
