/**
 * HPKE (RFC 9180), base mode, one message: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. What devices do with it is `agent/hpke.c`.
 */
import { createCipheriv, createECDH, createHmac, type ECDH } from 'node:crypto';

const curve = 'prime256v1';
/** §7.1 and §5.1: "KEM" and the KEM's id; "HPKE" and the ids of KEM, KDF and AEAD. */
const kemSuite = Buffer.from('4b454d0010', 'hex');
const suite = Buffer.from('48504b45001000010002', 'hex');
const none = Buffer.alloc(0);
export const tagBytes = 16;

/**
 * `recipient`: the point of a P-256 public key, uncompressed. Returns the encapsulated key, the ciphertext and its tag. Throws for what is no
 * point of the curve. `ephemeral` is given by tests only: the same one twice would give the plain text away.
 */
export function sealTo(recipient: Buffer, info: Buffer, plain: Buffer, ephemeral = newKey()): Buffer {
  const encapsulated = ephemeral.getPublicKey();
  const { key, nonce } = schedule(ephemeral.computeSecret(recipient), encapsulated, recipient, info);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  return Buffer.concat([encapsulated, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function newKey(): ECDH {
  const ecdh = createECDH(curve);
  ecdh.generateKeys();
  return ecdh;
}

/** §4.1 and §5.1: from what both sides agree on to the key and the nonce of the first message. */
export function schedule(
  agreed: Buffer,
  encapsulated: Buffer,
  recipient: Buffer,
  info: Buffer,
): { key: Buffer; nonce: Buffer } {
  const prk = extract(kemSuite, none, 'eae_prk', agreed);
  const shared = expand(kemSuite, prk, 'shared_secret', Buffer.concat([encapsulated, recipient]), 32);
  const context = Buffer.concat([
    Buffer.from([0]),
    extract(suite, none, 'psk_id_hash', none),
    extract(suite, none, 'info_hash', info),
  ]);
  const secret = extract(suite, shared, 'secret', none);
  return {
    key: expand(suite, secret, 'key', context, 32),
    nonce: expand(suite, secret, 'base_nonce', context, 12),
  };
}

function extract(of: Buffer, salt: Buffer, label: string, ikm: Buffer): Buffer {
  return createHmac('sha256', salt).update('HPKE-v1').update(of).update(label).update(ikm).digest();
}

/** At most 32 bytes: one block of HKDF. */
function expand(of: Buffer, prk: Buffer, label: string, info: Buffer, bytes: number): Buffer {
  const head = Buffer.from([bytes >> 8, bytes & 0xff]);
  const hmac = createHmac('sha256', prk).update(head).update('HPKE-v1').update(of).update(label).update(info);
  return hmac
    .update(Buffer.from([1]))
    .digest()
    .subarray(0, bytes);
}
